// The model itself: affine layers with functions between them, computed here as in the run.

const layers = run.layers || [];
const count = data.y ? data.y.length : 0;
const features = data.features;
const flat = run.open ? Float64Array.from(data.x.flat()) : null; // rows end to end

const functions = {
  tanh: [(a) => Math.tanh(a), (a, h) => 1 - h * h],
  relu: [(a) => Math.max(a, 0), (a) => (a > 0 ? 1 : 0)],
  sigmoid: [(a) => 1 / (1 + Math.exp(-a)), (a, h) => h * (1 - h)],
  softplus: [
    (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
    (a) => 1 / (1 + Math.exp(-a)),
  ],
  silu: [
    (a) => a / (1 + Math.exp(-a)),
    (a) => {
      const s = 1 / (1 + Math.exp(-a));
      return s + a * s * (1 - s);
    },
  ],
  leaky_relu: [(a, s) => (a > 0 ? a : s * a), (a, h, s) => (a > 0 ? 1 : s)],
  elu: [(a, s) => (a > 0 ? a : s * Math.expm1(a)), (a, h, s) => (a > 0 ? 1 : h + s)],
};

// One layer on n rows that lie end to end: h = f(x W + b).
function applied(layer, weights, input, n) {
  const { inputs, outputs } = layer;
  const result = new Float64Array(n * outputs);
  for (let r = 0; r < n; r++) {
    for (let j = 0; j < outputs; j++) {
      result[r * outputs + j] = layer.bias === null ? 0 : weights[layer.bias + j];
    }
    for (let i = 0; i < inputs; i++) {
      const x = input[r * inputs + i];
      const at = layer.weight + i * outputs;
      for (let j = 0; j < outputs; j++) result[r * outputs + j] += x * weights[at + j];
    }
  }
  return result;
}

function bent(layer, before) {
  if (!layer.function) return before;
  const [f] = functions[layer.function];
  const after = new Float64Array(before.length);
  for (let i = 0; i < before.length; i++) after[i] = f(before[i], layer.slope);
  return after;
}

// What the model gives for n rows end to end.
function outputsOf(weights, input = flat, n = count) {
  let h = input;
  for (const layer of layers) h = bent(layer, applied(layer, weights, h, n));
  return h;
}

// The loss of the rows in the file.
const lossAt = (weights) => meanLoss(outputsOf(weights));

function meanLoss(answer) {
  const width = layers[layers.length - 1].outputs;
  let total = 0;
  for (let r = 0; r < count; r++) total += rowLoss(answer, r, width);
  return total / count;
}

// The loss as a function of one weight, all others held. Only what that weight changes is computed
// anew: one unit of its layer, what that unit adds to the next, and the layers after those.
function lossOver(weights, index) {
  const { layer: l, from, to } = placeOf(index);
  let input = flat;
  for (const layer of layers.slice(0, l))
    input = bent(layer, applied(layer, weights, input, count));
  const layer = layers[l];
  const before = applied(layer, weights, input, count);
  const after = bent(layer, before);
  const next = layers[l + 1];
  const base = next ? applied(next, weights, after, count) : after;
  const width = next ? next.outputs : layer.outputs;
  const f = layer.function ? functions[layer.function][0] : (a) => a;
  return (w) => {
    const moved = base.slice();
    for (let r = 0; r < count; r++) {
      const at = r * layer.outputs + to;
      const x = from < 0 ? 1 : input[r * layer.inputs + from];
      const change = f(before[at] + (w - weights[index]) * x, layer.slope) - after[at];
      if (!next) moved[at] += change;
      else
        for (let k = 0; k < width; k++)
          moved[r * width + k] += change * weights[next.weight + to * width + k];
    }
    let h = next ? bent(next, moved) : moved;
    for (const later of layers.slice(l + 2)) h = bent(later, applied(later, weights, h, count));
    return meanLoss(h);
  };
}

function rowLoss(answer, r, width) {
  if (run.loss === "mse") return (answer[r] - data.y[r]) ** 2;
  let top = -Infinity;
  for (let k = 0; k < width; k++) top = Math.max(top, answer[r * width + k]);
  let sum = 0;
  for (let k = 0; k < width; k++) sum += Math.exp(answer[r * width + k] - top);
  return top + Math.log(sum) - answer[r * width + data.y[r]];
}

function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (z) => Math.exp(z - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

// One row through the model and back: values before and after each function, and dL/d of each.
function traced(weights, row) {
  const stages = [];
  let h = flat.subarray(row * features, (row + 1) * features);
  const input = h;
  for (const layer of layers) {
    const before = applied(layer, weights, h, 1);
    const after = bent(layer, before);
    stages.push({ layer, input: h, before, after });
    h = after;
  }
  const n = run.rows_used;
  let back;
  let p = null;
  if (run.loss === "mse") {
    back = Float64Array.from([(2 * (h[0] - data.y[row])) / n]);
  } else {
    p = softmax(h);
    back = Float64Array.from(p, (share, k) => (share - (k === data.y[row] ? 1 : 0)) / n);
  }
  for (const stage of [...stages].reverse()) {
    const { layer, before, after } = stage;
    const derivative = layer.function && functions[layer.function][1];
    stage.bend = before.map((a, j) => (derivative ? derivative(a, after[j], layer.slope) : 1));
    stage.dAfter = back;
    stage.dBefore = back.map((g, j) => g * stage.bend[j]);
    back = new Float64Array(layer.inputs);
    for (let i = 0; i < layer.inputs; i++) {
      for (let j = 0; j < layer.outputs; j++) {
        back[i] += stage.dBefore[j] * weights[layer.weight + i * layer.outputs + j];
      }
    }
  }
  return { input, stages, output: h, probabilities: p, dInput: back };
}

// A weight's place in the model: its layer, from which input (−1 is the bias), to which unit.
function placeOf(index) {
  for (let l = 0; l < layers.length; l++) {
    const { weight, bias, inputs, outputs } = layers[l];
    const k = index - weight;
    if (k >= 0 && k < inputs * outputs) {
      return { layer: l, from: Math.floor(k / outputs), to: k % outputs };
    }
    if (bias !== null && index >= bias && index < bias + outputs) {
      return { layer: l, from: -1, to: index - bias };
    }
  }
  return { layer: 0, from: 0, to: 0 };
}

function indexOf({ layer, from, to }) {
  const { weight, bias, outputs } = layers[layer];
  return from < 0 ? bias + to : weight + from * outputs + to;
}

const oneLine = run.open && run.line && run.task === "regression";

// What a weight is called in formulas: w, b, w₂, or w⁽¹⁾ with the units that it joins.
function weightSymbol(index) {
  const { layer, from, to } = placeOf(index);
  if (oneLine && from < 0) return m.i("b");
  if (oneLine && features === 1) return m.i("w");
  if (oneLine) return m.sub(m.i("w"), part("mn")(from + 1));
  const joined =
    from < 0 ? part("mn")(to + 1) : m.row(part("mn")(from + 1), m.o("→"), part("mn")(to + 1));
  return m.both(
    m.i(from < 0 ? "b" : "w"),
    joined,
    m.row(m.o("("), part("mn")(layer + 1), m.o(")")),
  );
}

// And in words.
function weightName(index) {
  const { layer, from, to } = placeOf(index);
  if (oneLine && from < 0) return "b";
  if (oneLine) return features === 1 ? "w" : `w of ${plainName(data.x_names[from])}`;
  const target =
    layer === layers.length - 1 ? outputName(to) : `unit ${to + 1} of layer ${layer + 1}`;
  if (from < 0) return `the bias of ${target}`;
  const source = layer === 0 ? plainName(data.x_names[from]) : `unit ${from + 1} of layer ${layer}`;
  return `the weight from ${source} to ${target}`;
}

function outputName(k) {
  return run.task === "classes" ? `class ${brief(data.labels[k])}` : "ŷ";
}

// Back to the units that the data came in.
const ownX = (z, column) => z * data.x_scale[column] + data.x_mean[column];
const ownY = (z) => z * data.y_scale + data.y_mean;
