// The links of the chain rule for one row: what each is called, its formula and its numbers.

const norm = (v) => Math.sqrt(v.reduce((sum, a) => sum + a * a, 0));

// What has been gathered up to here: a number, or the length of a vector of them.
const sized = (v) =>
  v.length === 1
    ? signedText(v[0], 4)
    : el("span", { class: "number" }, `size ${short(norm(v), 3)}`);

// Numbers as text, the first ones of many.
function listing(values, most = 12) {
  const told = Array.from(values)
    .slice(0, most)
    .map((v) => short(v, 4))
    .join(",  ");
  return values.length > most ? `${told}, … (${values.length} in all)` : told;
}

// The chain from the inputs to the loss: for each link what it is called, and its numbers.
function chainNodes(trace, r) {
  const rows = run.rows_used;
  const nodes = [];
  const unit = (n) => (n === 1 ? "a number for each row" : `${n} numbers for each row`);
  const first = trace.stages[0].layer;
  const end = trace.stages[trace.stages.length - 1];
  if (oneLine) {
    const { weight, bias } = first;
    const w = weightsNow();
    const one = features === 1;
    nodes.push({
      said: bias === null ? "w" : "w and b",
      by: () => m.i("w"),
      symbol: () => m.row(m.i("w"), ...(bias === null ? [] : [m.o(","), m.i("b")])),
      value: one
        ? `${short(w[weight])}${bias === null ? "" : `,  ${short(w[bias])}`}`
        : `${features + (bias === null ? 0 : 1)} weights`,
      formula: () =>
        m.row(
          m.sub(m.i("w"), m.text("new")),
          m.o("="),
          m.i("w"),
          m.o("−"),
          m.text("rate"),
          m.o("·"),
          slope(m.i("L"), m.i("w")),
        ),
      shape: `w: ${features} × 1${bias === null ? "" : ",  b: 1"}`,
      values: listing(
        Array.from({ length: features }, (_, i) => w[weight + i]).concat(
          bias === null ? [] : [w[bias]],
        ),
      ),
      local: () => m.row(partial(hat(), m.i("w")), m.o("="), scaled() ? m.i("z") : m.i("x")),
      localValue: one ? short(trace.input[0]) : `${features} numbers`,
      back: null,
      gathered: one
        ? signedText(end.dBefore[0] * trace.input[0], 4)
        : sized(trace.input.map((x) => x * end.dBefore[0])),
    });
  } else {
    nodes.push({
      said: "the inputs x",
      symbol: () => m.i("x"),
      value: features === 1 ? short(trace.input[0]) : counted(features, "number"),
      formula: () =>
        scaled()
          ? m.row(m.i("x"), m.text("\u00a0standardised"))
          : m.row(m.i("x"), m.text("\u00a0as given")),
      shape: unit(features),
      values: listing(trace.input),
      back: listing(trace.dInput),
      local: () => localOf(0),
      localValue: grown(trace.dInput, trace.stages[0].dAfter),
      gathered: sized(trace.dInput),
    });
    trace.stages.slice(0, -1).forEach((stage, l) =>
      nodes.push({
        said: `layer ${l + 1}`,
        symbol: () => layered("h", l + 1),
        value:
          stage.after.length === 1 ? short(stage.after[0]) : counted(stage.after.length, "unit"),
        formula: () => stageFormula(l),
        shape: unit(stage.after.length),
        values: listing(stage.after),
        back: listing(stage.dAfter),
        local: () => localOf(l + 1),
        localValue: grown(stage.dAfter, trace.stages[l + 1].dAfter),
        gathered: sized(stage.dAfter),
      }),
    );
  }
  const output = trace.output;
  if (run.task === "classes") {
    nodes.push({
      said: "the logits z",
      symbol: () => m.i("z"),
      value: counted(output.length, "logit"),
      formula: () => stageFormula(layers.length - 1, m.i("z")),
      shape: unit(output.length),
      values: listing(output),
      back: listing(end.dAfter),
      gathered: sized(end.dAfter),
      local: () =>
        m.row(
          partial(m.i("L"), m.i("z")),
          m.o("="),
          m.frac(m.row(m.i("p"), m.o("−"), m.i("t")), m.i("N")),
        ),
      localValue: `size ${short(norm(end.dAfter), 3)}`,
    });
    const p = trace.probabilities[data.y[r]];
    const logarithm = [
      m.o("−"),
      m.frac(part("mn")("1"), m.i("N")),
      m.o("∑"),
      m.i("ln"),
      m.sub(m.i("p"), m.i("t")),
      m.text("\u00a0with p = softmax(z)"),
    ];
    nodes.push(lossNode(logarithm, `−ln ${short(p)} = ${short(-Math.log(p))}`));
    return nodes;
  }
  const u = output[0] - data.y[r];
  nodes.push({
    said: "the prediction",
    symbol: hat,
    value: short(output[0]),
    formula: () =>
      oneLine
        ? m.row(
            hat(),
            m.o("="),
            m.i("w"),
            m.o("·"),
            scaled() ? m.i("z") : m.i("x"),
            m.o("+"),
            m.i("b"),
          )
        : stageFormula(layers.length - 1, hat()),
    shape: unit(1),
    values: short(output[0], 7),
    back: short(end.dAfter[0], 5),
    gathered: sized(end.dAfter),
    local: () => m.row(partial(m.i("u"), hat()), m.o("="), part("mn")("1")),
    localValue: "1",
  });
  nodes.push({
    said: "the residual u",
    symbol: () => m.i("u"),
    value: short(u),
    formula: () => m.row(m.i("u"), m.o("="), hat(), m.o("−"), m.i("y")),
    shape: unit(1),
    values: `${short(output[0], 6)} − ${short(data.y[r], 6)} = ${short(u, 6)}`,
    back: short(end.dAfter[0], 5),
    gathered: sized(end.dAfter),
    local: () =>
      m.row(
        partial(m.i("L"), m.i("u")),
        m.o("="),
        m.frac(m.row(part("mn")("2"), m.i("u")), m.i("N")),
      ),
    localValue: short((2 * u) / rows),
  });
  const square = [
    m.frac(part("mn")("1"), m.i("N")),
    m.o("∑"),
    m.sup(m.i("u"), part("mn")("2")),
  ];
  nodes.push(lossNode(square, `u² = ${short(u * u)}`));
  return nodes;
}

// The end of the chain: the mean over all rows, and what this row puts in.
function lossNode(mean, share) {
  return {
    said: "the loss",
    symbol: () => m.i("L"),
    value: short(lossNow()),
    formula: () => m.row(m.i("L"), m.o("="), ...mean),
    shape: "one number",
    values: `this row: ${share}; mean of ${counted(run.rows_used, "row")}: ${short(lossNow())}`,
    back: "1",
    gathered: "1",
  };
}

const scaled = () => data.x_scale.some((s) => s !== 1) || data.x_mean.some((x) => x !== 0);

function stageFormula(l, name) {
  const layer = layers[l];
  const input = l === 0 ? m.i("x") : layered("h", l);
  const affine = [
    input,
    layered("W", l + 1),
    ...(layer.bias === null ? [] : [m.o("+"), layered("b", l + 1)]),
  ];
  const body = layer.function
    ? [m.i(layer.function.replace("_", " ")), m.o("("), ...affine, m.o(")")]
    : affine;
  return m.row(name || layered("h", l + 1), m.o("="), ...body);
}

// The local derivative of a layer: its weights, each unit's times the slope of its function.
function localOf(l) {
  const bend = layers[l].function ? [m.sup(m.i("f"), m.o("′")), m.o("·")] : [];
  return m.row(...bend, layered("W", l + 1));
}

// How much a cotangent grows or shrinks through a layer.
function grown(before, after) {
  const size = norm(after);
  return size ? `× ${short(norm(before) / size, 3)}` : "× 0";
}
