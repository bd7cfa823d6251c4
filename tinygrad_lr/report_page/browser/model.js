// @ts-check
// The model, computed in the browser: affine layers with functions between them.

import { shorten, columnName } from "./format.js";
import { data, run } from "./run_data.js";

export const layers = run.layers || [];
export const count = data.y ? data.y.length : 0;
export const features = data.features;
const flat = Float64Array.from(run.open ? data.x.flat() : []); // rows, end to end

/**
 * The functions between layers and their derivatives, of a (before), h (after) and their slope.
 * @type {Record<NonNullable<Layer["function"]>, [
 *   (a: number, slope: number) => number, (a: number, h: number, slope: number) => number]>}
 */
const FUNCTIONS = {
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

/**
 * Apply a layer's weights to n rows, stored end to end: x W + b.
 * @param {Layer} layer
 * @param {Numbers} weights
 * @param {Numbers} input
 * @param {number} n
 * @returns {Float64Array}
 */
function applyAffine(layer, weights, input, n) {
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

/**
 * @param {Layer} layer
 * @param {Float64Array} before
 * @returns {Float64Array}
 */
function applyFunction(layer, before) {
  if (!layer.function) return before;
  const [f] = FUNCTIONS[layer.function];
  const after = new Float64Array(before.length);
  for (let i = 0; i < before.length; i++) after[i] = f(before[i], layer.slope);
  return after;
}

/**
 * Return the outputs of the model for n rows, stored end to end.
 * @param {Numbers} weights
 * @param {Float64Array} [input]
 * @param {number} [n]
 * @returns {Float64Array}
 */
export function computeOutputs(weights, input = flat, n = count) {
  /** @type {Float64Array} */
  let h = input;
  for (const layer of layers) h = applyFunction(layer, applyAffine(layer, weights, h, n));
  return h;
}

/** @param {Float64Array} answer */
function meanLoss(answer) {
  const width = layers[layers.length - 1].outputs;
  let total = 0;
  for (let r = 0; r < count; r++) total += rowLoss(answer, r, width);
  return total / count;
}

/**
 * Return the loss as a function of one weight. Only what that weight changes is computed
 * again: one unit of its layer, its share of the next layer, and the layers after those.
 * @param {number[]} weights
 * @param {number} index
 * @returns {(w: number) => number}
 */
export function lossOverWeight(weights, index) {
  const { layer: l, from, to } = locateWeight(index);
  /** @type {Float64Array} */
  let input = flat;
  for (const layer of layers.slice(0, l))
    input = applyFunction(layer, applyAffine(layer, weights, input, count));
  const layer = layers[l];
  const before = applyAffine(layer, weights, input, count);
  const after = applyFunction(layer, before);
  const next = layers[l + 1];
  const base = next ? applyAffine(next, weights, after, count) : after;
  const width = next ? next.outputs : layer.outputs;
  const f = layer.function ? FUNCTIONS[layer.function][0] : (/** @type {number} */ a) => a;
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
    let h = next ? applyFunction(next, moved) : moved;
    for (const later of layers.slice(l + 2))
      h = applyFunction(later, applyAffine(later, weights, h, count));
    return meanLoss(h);
  };
}

/**
 * @param {Float64Array} answer
 * @param {number} r
 * @param {number} width
 */
function rowLoss(answer, r, width) {
  if (run.loss === "mse") return (answer[r] - data.y[r]) ** 2;
  let top = -Infinity;
  for (let k = 0; k < width; k++) top = Math.max(top, answer[r * width + k]);
  let sum = 0;
  for (let k = 0; k < width; k++) sum += Math.exp(answer[r * width + k] - top);
  return top + Math.log(sum) - answer[r * width + data.y[r]];
}

/**
 * @param {Float64Array} logits
 * @returns {number[]}
 */
export function softmax(logits) {
  const top = Math.max(...logits);
  const powers = Array.from(logits, (z) => Math.exp(z - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/**
 * Propagate one row through the model and back.
 * @param {number[]} weights
 * @param {number} row
 * @returns {Trace}
 */
export function propagateRow(weights, row) {
  /** @type {Stage[]} */
  const stages = [];
  /** @type {Float64Array} */
  let h = flat.subarray(row * features, (row + 1) * features);
  const input = h;
  for (const layer of layers) {
    const before = applyAffine(layer, weights, h, 1);
    const after = applyFunction(layer, before);
    const derivative = layer.function && FUNCTIONS[layer.function][1];
    const bend = before.map((a, j) => (derivative ? derivative(a, after[j], layer.slope) : 1));
    stages.push({ layer, input: h, before, after, bend, dAfter: after, dBefore: after });
    h = after;
  }
  const n = run.rows_used;
  const p = run.loss === "mse" ? [] : softmax(h);
  /** @type {Float64Array} */
  let back = Float64Array.from(
    run.loss === "mse"
      ? [(2 * (h[0] - data.y[row])) / n]
      : p.map((share, k) => (share - (k === data.y[row] ? 1 : 0)) / n),
  );
  for (const stage of [...stages].reverse()) {
    const { layer, bend } = stage;
    const dBefore = back.map((g, j) => g * bend[j]);
    stage.dAfter = back;
    stage.dBefore = dBefore;
    back = new Float64Array(layer.inputs);
    for (let i = 0; i < layer.inputs; i++) {
      for (let j = 0; j < layer.outputs; j++) {
        back[i] += dBefore[j] * weights[layer.weight + i * layer.outputs + j];
      }
    }
  }
  return { input, stages, output: h, probabilities: p, dInput: back };
}

/**
 * Return the place of a weight in the model.
 * @param {number} index
 * @returns {WeightPlace}
 */
export function locateWeight(index) {
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

/** @param {WeightPlace} domain */
export function weightIndex({ layer, from, to }) {
  const { weight, bias, outputs } = layers[layer];
  return from < 0 ? (bias ?? 0) + to : weight + from * outputs + to;
}

export const isLine = run.open && run.line && run.task === "regression";

/**
 * Return the name of a weight in words.
 * @param {number} index
 */
export function weightName(index) {
  const { layer, from, to } = locateWeight(index);
  if (isLine && from < 0) return "b";
  if (isLine) return features === 1 ? "w" : `w of ${columnName(data.x_names[from])}`;
  const target =
    layer === layers.length - 1 ? outputName(to) : `unit ${to + 1} of layer ${layer + 1}`;
  if (from < 0) return `the bias of ${target}`;
  const source =
    layer === 0 ? columnName(data.x_names[from]) : `unit ${from + 1} of layer ${layer}`;
  return `the weight from ${source} to ${target}`;
}

/** @param {number} k */
export function outputName(k) {
  return run.task === "classes" ? `class ${shorten(data.labels[k])}` : "ŷ";
}

/**
 * Convert from the model's scale to the units of the data.
 * @param {number} z
 * @param {number} column
 */
export const toOwnX = (z, column) => z * data.x_scale[column] + data.x_mean[column];
/** @param {number} z */
export const toOwnY = (z) => z * data.y_scale + data.y_mean;
