// Screen 4: the chain rule at this step, for one row, with the numbers of that row.

function chainPanel() {
  if (!run.open) return;
  const root = screen("chain", "The chain",
    "The loss depends on the weights through what lies between. Each arrow carries a local derivative; " +
    "the slope of the loss is their product, gathered from right to left, and summed over the rows.");
  const row = el("input", { type: "number", min: 1, max: data.rows, step: 1, id: "row",
    onchange: (event) => {
      const wanted = Number(event.target.value);
      const gaps = data.row_numbers.map((n) => Math.abs(n - wanted));
      change({ row: gaps.indexOf(Math.min(...gaps)), hovered: null });
    } });
  const told = el("span", { class: "light" });
  const chain = el("div", { class: "chain", role: "list" });
  const detail = el("div", { class: "detail", "aria-live": "polite" });
  const product = el("div", { class: "product scroll" });
  root.append(
    el("div", { class: "text picker" }, el("label", { class: "choice" }, el("span", {}, "Row"), " ", row), " ", told),
    el("div", { class: "wide" }, chain, detail),
    el("div", { class: "wide" }, product));
  let opened = null;

  panels.push({
    update() {
      const r = rowNow();
      if (document.activeElement !== row) row.value = data.row_numbers[r];
      const parts = data.x_names.slice(0, 3).map((n, i) => `${brief(n, 20)} = ${short(ownX(data.x[r][i], i))}`);
      const target = run.task === "classes" ? data.labels[data.y[r]] : short(ownY(data.y[r]));
      told.textContent = `${parts.join(", ")}${features > 3 ? ", …" : ""}; ${brief(data.y_name, 20)} = ${target}`;
      const nodes = chainNodes(traced(weightsNow(), r), r);
      chain.replaceChildren(...nodes.flatMap((node, k) => [box(node, k), k + 1 < nodes.length ? link(node) : null]).filter(Boolean));
      detail.replaceChildren(...(opened === null || !nodes[opened] ? [] : described(nodes[opened])));
      product.replaceChildren(...accumulated(nodes, r));
    },
  });

  function box(node, k) {
    return el("div", { class: "node", role: "listitem" },
      el("button", { type: "button", class: opened === k ? "box open" : "box", "aria-expanded": String(opened === k),
        "aria-label": `${node.said}: formula, shape, values`,
        onclick: () => {
          opened = opened === k ? null : k;
          show();
          chain.querySelectorAll("button")[k].focus();
        } },
      el("span", { class: "symbol" }, m.math(node.symbol())), el("span", { class: "value number" }, node.value)),
    el("div", { class: "back" }, m.math(slope(m.i("L"), node.by ? node.by() : node.symbol())), " ", node.gathered));
  }

  function link(node) {
    return el("div", { class: "link" }, el("div", { class: "onward" }, el("span", { class: "local" }, m.math(node.local())),
      el("span", { class: "arrow-line", "aria-hidden": "true" }),
      el("span", { class: "number" }, node.localValue)),
    el("div", { class: "back", "aria-hidden": "true" }, "←"));
  }

  function described(node) {
    return [el("dl", {},
      el("dt", {}, "Formula"), el("dd", {}, m.math(node.formula())),
      el("dt", {}, "Shape"), el("dd", {}, node.shape),
      el("dt", {}, "Values"), el("dd", { class: "number" }, node.values),
      node.back ? [el("dt", {}, m.math(slope(m.i("L"), node.symbol()))), el("dd", { class: "number" }, node.back)] : null)];
  }
}

const norm = (v) => Math.sqrt(v.reduce((sum, a) => sum + a * a, 0));

// What has been gathered up to here: a number, or the length of a vector of them.
const sized = (v) => (v.length === 1 ? signedText(v[0], 4) : el("span", { class: "number" }, `size ${short(norm(v), 3)}`));

// Numbers as text, the first ones of many.
function listing(values, most = 12) {
  const told = Array.from(values).slice(0, most).map((v) => short(v, 4)).join(",  ");
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
      value: one ? `${short(w[weight])}${bias === null ? "" : `,  ${short(w[bias])}`}` : `${features + (bias === null ? 0 : 1)} weights`,
      formula: () => m.row(m.sub(m.i("w"), m.text("new")), m.o("="), m.i("w"), m.o("−"), m.text("rate"), m.o("·"), slope(m.i("L"), m.i("w"))),
      shape: `w: ${features} × 1${bias === null ? "" : ",  b: 1"}`,
      values: listing(Array.from({ length: features }, (_, i) => w[weight + i]).concat(bias === null ? [] : [w[bias]])),
      local: () => m.row(partial(hat(), m.i("w")), m.o("="), scaled() ? m.i("z") : m.i("x")),
      localValue: one ? short(trace.input[0]) : `${features} numbers`,
      back: null, gathered: one ? signedText(end.dBefore[0] * trace.input[0], 4) : sized(trace.input.map((x) => x * end.dBefore[0])),
    });
  } else {
    nodes.push({
      said: "the inputs x", symbol: () => m.i("x"), value: features === 1 ? short(trace.input[0]) : counted(features, "number"),
      formula: () => (scaled() ? m.row(m.i("x"), m.text("\u00a0standardised")) : m.row(m.i("x"), m.text("\u00a0as given"))),
      shape: unit(features), values: listing(trace.input), back: listing(trace.dInput),
      local: () => localOf(0), localValue: grown(trace.dInput, trace.stages[0].dAfter), gathered: sized(trace.dInput),
    });
    trace.stages.slice(0, -1).forEach((stage, l) => nodes.push({
      said: `layer ${l + 1}`, symbol: () => layered("h", l + 1), value: stage.after.length === 1 ? short(stage.after[0]) : counted(stage.after.length, "unit"),
      formula: () => stageFormula(l), shape: unit(stage.after.length), values: listing(stage.after), back: listing(stage.dAfter),
      local: () => localOf(l + 1), localValue: grown(stage.dAfter, trace.stages[l + 1].dAfter), gathered: sized(stage.dAfter),
    }));
  }
  const output = trace.output;
  if (run.task === "classes") {
    nodes.push({
      said: "the logits z", symbol: () => m.i("z"), value: counted(output.length, "logit"), formula: () => stageFormula(layers.length - 1, m.i("z")),
      shape: unit(output.length), values: listing(output), back: listing(end.dAfter), gathered: sized(end.dAfter),
      local: () => m.row(partial(m.i("L"), m.i("z")), m.o("="), m.frac(m.row(m.i("p"), m.o("−"), m.i("t")), m.i("N"))),
      localValue: `size ${short(norm(end.dAfter), 3)}`,
    });
    const p = trace.probabilities[data.y[r]];
    nodes.push({
      said: "the loss", symbol: () => m.i("L"), value: short(lossNow()),
      formula: () => m.row(m.i("L"), m.o("="), m.o("−"), m.frac(part("mn")("1"), m.i("N")), m.o("∑"), m.i("ln"), m.sub(m.i("p"), m.i("t")), m.text("\u00a0with p = softmax(z)")),
      shape: "one number", values: `this row: −ln ${short(p)} = ${short(-Math.log(p))}; mean of ${counted(rows, "row")}: ${short(lossNow())}`, back: "1", gathered: "1",
    });
    return nodes;
  }
  const u = output[0] - data.y[r];
  nodes.push({
    said: "the prediction", symbol: hat, value: short(output[0]),
    formula: () => (oneLine ? m.row(hat(), m.o("="), m.i("w"), m.o("·"), scaled() ? m.i("z") : m.i("x"), m.o("+"), m.i("b")) : stageFormula(layers.length - 1, hat())),
    shape: unit(1), values: short(output[0], 7), back: short(end.dAfter[0], 5), gathered: sized(end.dAfter),
    local: () => m.row(partial(m.i("u"), hat()), m.o("="), part("mn")("1")), localValue: "1",
  });
  nodes.push({
    said: "the residual u", symbol: () => m.i("u"), value: short(u), formula: () => m.row(m.i("u"), m.o("="), hat(), m.o("−"), m.i("y")),
    shape: unit(1), values: `${short(output[0], 6)} − ${short(data.y[r], 6)} = ${short(u, 6)}`, back: short(end.dAfter[0], 5), gathered: sized(end.dAfter),
    local: () => m.row(partial(m.i("L"), m.i("u")), m.o("="), m.frac(m.row(part("mn")("2"), m.i("u")), m.i("N"))),
    localValue: short((2 * u) / rows),
  });
  nodes.push({
    said: "the loss", symbol: () => m.i("L"), value: short(lossNow()),
    formula: () => m.row(m.i("L"), m.o("="), m.frac(part("mn")("1"), m.i("N")), m.o("∑"), m.sup(m.i("u"), part("mn")("2"))),
    shape: "one number", values: `this row: u² = ${short(u * u)}; mean of ${counted(rows, "row")}: ${short(lossNow())}`, back: "1", gathered: "1",
  });
  return nodes;
}

const scaled = () => data.x_scale.some((s) => s !== 1) || data.x_mean.some((x) => x !== 0);

function stageFormula(l, name) {
  const { layer } = { layer: layers[l] };
  const input = l === 0 ? m.i("x") : layered("h", l);
  const affine = [input, layered("W", l + 1), ...(layer.bias === null ? [] : [m.o("+"), layered("b", l + 1)])];
  const body = layer.function ? [m.i(layer.function.replace("_", " ")), m.o("("), ...affine, m.o(")")] : affine;
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

// The product from right to left, line by line, with this row's numbers; then the sum of all rows.
function accumulated(nodes, r) {
  const trace = traced(weightsNow(), r);
  const lines = [];
  const push = (formula, ...numbers) => lines.push([m.math(formula), ...numbers]);
  const rows = run.rows_used;
  if (run.task === "regression") {
    const u = trace.output[0] - data.y[r];
    const g = (2 * u) / rows;
    push(m.row(slope(m.i("L"), m.i("u")), m.o("="), m.frac(m.row(part("mn")("2"), m.i("u")), m.i("N")), m.o("="),
      m.frac(m.row(part("mn")("2"), m.o("·"), bracketed(u)), part("mn")(rows))), signedText(g, 4));
    push(m.row(slope(m.i("L"), hat()), m.o("="), slope(m.i("L"), m.i("u")), m.o("·"), slope(m.i("u"), hat()), m.o("="), bracketed(g), m.o("·"), part("mn")("1")), signedText(g, 4));
  } else {
    const g = trace.stages[trace.stages.length - 1].dAfter;
    push(m.row(slope(m.i("L"), m.i("z")), m.o("="), m.frac(m.row(m.i("p"), m.o("−"), m.i("t")), m.i("N"))),
      el("span", { class: "number" }, listing(g, 4)));
  }
  [...trace.stages].reverse().forEach((stage, back) => {
    const l = layers.length - 1 - back;
    if (l === 0) return;
    const below = trace.stages[l - 1];
    push(m.row(slope(m.i("L"), layered("h", l)), m.o("="),
      slope(m.i("L"), l === layers.length - 1 ? (run.task === "classes" ? m.i("z") : hat()) : layered("h", l + 1)), m.o("·"), localOf(l)),
    el("span", { class: "number" }, `size ${short(norm(below.dAfter), 3)}`));
  });
  const shown = oneLine ? [layers[0].weight + (placeOf(state.weight).from < 0 ? 0 : placeOf(state.weight).from)] : [state.weight];
  if (oneLine && layers[0].bias !== null) shown.push(layers[0].bias);
  for (const index of shown) {
    const { layer, from, to } = placeOf(index);
    const stage = trace.stages[layer];
    const arrives = stage.dBefore[to];
    const x = from < 0 ? 1 : stage.input[from];
    const name = () => weightSymbol(index);
    const through = oneLine ? slope(m.i("L"), hat()) : layered("δ", layer + 1, to + 1);
    const input = from < 0 ? part("mn")("1") : layer === 0
      ? features === 1 ? m.i(scaled() && oneLine ? "z" : "x") : m.sub(m.i("x"), part("mn")(from + 1))
      : layered("h", layer, from + 1);
    push(m.row(m.text("this row:\u00a0"), through, m.o("·"), input, m.o("="), bracketed(arrives), m.o("·"), bracketed(x)), signedText(arrives * x, 4));
    push(m.row(slope(m.i("L"), name()), m.o("="), m.o("∑"), m.text(`\u00a0over ${counted(rows, "row")}`)), el("strong", {}, signedText(gradientsNow()[index], 6)));
  }
  const note = oneLine ? null : el("p", { class: "hint" }, m.math(m.row(layered("δ", "l"))),
    " is what reaches a unit before its function: dL/dh times the slope of the function there.");
  return [el("table", { class: "numbers steps", id: "product" }, el("tbody", {}, lines.map((cells) =>
    el("tr", {}, el("th", { scope: "row" }, cells[0]), el("td", {}, cells[1]))))), note].filter(Boolean);
}
