// @ts-check
// Screen 5: the network drawn; a chosen weight, its paths to the loss, and what a nudge does.

import { createLegend, createPair, createScreen, createTable } from "./chart.js";
import {
  inBrackets,
  draw,
  el,
  yHat,
  layerSymbol,
  m,
  part,
  signedText,
  slope,
} from "./elements.js";
import { shorten, countNoun, columnName, formatNumber } from "./format.js";
import { weightSymbol } from "./formulas.js";
import { nudgeSize, weightPicker } from "./loss_curve_panel.js";
import {
  count,
  features,
  weightIndex,
  layers,
  lossOverWeight,
  outputName,
  locateWeight,
  propagateRow,
  weightName,
} from "./model.js";
import { data, run } from "./run_data.js";
import { setState, gradientsNow, panels, rowNow, state, weightNow, weightsNow } from "./state.js";

const MAX_UNITS = 20; // of a layer that are drawn

export function networkPanel() {
  if (!run.open || layers.length < 2) return;
  const root = createScreen(
    "network",
    "Earlier layers",
    "Edges are weights. Their width shows the size, their colour the gradient. A weight far from the loss " +
      "acts through every unit that depends on it: choose one to highlight its paths.",
  );
  const picker = weightPicker();
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", {});
  const key = createLegend([
    ["edge lit up", "gradient positive"],
    ["edge lit", "zero"],
    ["edge lit negative down", "negative"],
  ]);
  const figure = el("figure", {}, picker.node, key, host, caption);
  const side = el("div", { class: "side" });
  createPair(root, figure, side);
  const factors = el("div", { class: "factors scroll" });
  const nudge = el("input", {
    type: "range",
    min: -1,
    max: 1,
    step: 0.02,
    id: "nudge",
    "aria-label": "Nudge of the chosen weight",
    oninput: (/** @type {Event & { target: HTMLInputElement }} */ event) =>
      setState({ nudge: Number(event.target.value) }),
  });
  const promised = el("div", {});
  side.append(
    el("h3", {}, "Its chain of factors"),
    factors,
    el("h3", {}, "A nudge"),
    el("label", { class: "choice wide-choice" }, el("span", {}, "Change this weight alone"), nudge),
    promised,
  );

  const widths = [features, ...layers.map((l) => l.outputs)];
  const drawn = widths.map((w) => Math.min(w, MAX_UNITS));
  const hoverable = count * run.weights[0].length < 400000; // to show a weight that is pointed at
  /** @type {{ l: number, i: number, index: number, line: SVGLineElement }[]} */
  let edges = [];
  /** @type {Point[][]} */
  let places = [];
  /** @type {{ svg: SVGSVGElement, circles: SVGCircleElement[] } | null} */
  let drawing = null;

  function layout() {
    const width = Math.floor(host.clientWidth);
    if (!width) return;
    const height = Math.max(260, Math.min(440, width * 0.72));
    const [left, right] = [54, width - 60];
    places = drawn.map((units, l) =>
      Array.from({ length: units }, (_, i) => [
        left + ((right - left) * l) / (drawn.length - 1),
        28 + (height - 46) * ((i + 0.5) / units),
      ]),
    );
    edges = [];
    const lines = draw("g", {});
    layers.forEach((layer, l) => {
      for (let i = 0; i < drawn[l]; i++) {
        for (let j = 0; j < drawn[l + 1]; j++) {
          const [[x1, y1], [x2, y2]] = [places[l][i], places[l + 1][j]];
          const index = weightIndex({ layer: l, from: i, to: j });
          const line = draw("line", { x1, y1, x2, y2, class: "edge" });
          const room = draw(
            "line",
            {
              ...{ x1, y1, x2, y2, class: "edge-room" },
              onclick: () => setState({ weight: index, pointed: null }),
              onpointerenter: () => hoverable && setState({ pointed: index }),
              onpointerleave: () => hoverable && setState({ pointed: null }),
            },
            draw("title", {}, weightName(index)),
          );
          lines.append(line, room);
          edges.push({ l, i, index, line });
        }
      }
    });
    const nodes = draw(
      "g",
      {},
      places.flatMap((column, l) =>
        column.map(([x, y]) =>
          draw("circle", { cx: x, cy: y, r: drawn[l] > 12 ? 4.5 : 7, class: "unit" }),
        ),
      ),
    );
    const names = draw(
      "g",
      {},
      places[0].length <= 8
        ? places[0].map(([x, y], i) =>
            draw(
              "text",
              { x: x - 12, y: y + 4, class: "tick", "text-anchor": "end" },
              columnName(data.x_names[i], 7),
            ),
          )
        : [],
      places[places.length - 1].map(([x, y], k) =>
        draw(
          "text",
          { x: x + 12, y: y + 4, class: "tick" },
          run.task === "classes" ? shorten(data.labels[k], 7) : "ŷ → L",
        ),
      ),
      places.map((column, l) =>
        draw(
          "text",
          { x: column[0][0], y: 14, class: "tick", "text-anchor": "middle" },
          l === 0
            ? "inputs"
            : l === places.length - 1
              ? "output"
              : (right - left) / places.length < 50
                ? ""
                : layers[l - 1].function || "layer",
        ),
      ),
    );
    const svg = draw(
      "svg",
      { role: "img", class: "chart", width, height, viewBox: `0 0 ${width} ${height}` },
      lines,
      nodes,
      names,
    );
    drawing = { svg, circles: [...nodes.childNodes] };
    host.replaceChildren(svg);
    paint();
  }

  function paint() {
    if (!drawing) return;
    const [w, g] = [weightsNow(), gradientsNow()];
    const chosen = locateWeight(weightNow());
    const widest = layers.map((layer) =>
      Math.max(
        1e-300,
        ...Array.from({ length: layer.inputs * layer.outputs }, (_, k) =>
          Math.abs(w[layer.weight + k]),
        ),
      ),
    );
    const steepest = layers.map((layer) =>
      Math.max(
        1e-300,
        ...Array.from({ length: layer.inputs * layer.outputs }, (_, k) =>
          Math.abs(g[layer.weight + k]),
        ),
      ),
    );
    for (const { l, i, index, line } of edges) {
      const lit =
        index === weightNow() || (l > chosen.layer && (l > chosen.layer + 1 || i === chosen.to));
      line.setAttribute(
        "class",
        `edge${lit ? " lit" : ""}${index === weightNow() ? " chosen" : ""}${g[index] < 0 ? " negative" : ""}`,
      );
      line.setAttribute("stroke-width", (0.4 + 4.2 * (Math.abs(w[index]) / widest[l])).toFixed(2));
      const share = Math.round(100 * Math.sqrt(Math.abs(g[index]) / steepest[l]));
      line.style.stroke = `color-mix(in oklab, var(--${g[index] > 0 ? "up" : "down"}) ${share}%, var(--level))`;
    }
    for (const edge of edges)
      if (edge.index === weightNow()) edge.line.parentNode?.appendChild(edge.line);
    let at = 0;
    places.forEach((column, l) =>
      column.forEach((_, i) => {
        const lit =
          l > chosen.layer + 1 ||
          (l === chosen.layer + 1 && i === chosen.to) ||
          (l === chosen.layer && i === chosen.from);
        drawing?.circles[at].setAttribute("class", `unit${lit ? " lit" : ""}`);
        at += 1;
      }),
    );
    drawing.svg.setAttribute("aria-label", caption.textContent);
  }

  new ResizeObserver(() => {
    const width = Number(drawing?.svg.getAttribute("width"));
    if (!drawing || Math.floor(host.clientWidth) !== width) layout();
  }).observe(host);

  panels.push({
    update() {
      picker.update();
      const g = gradientsNow()[weightNow()];
      const { layer } = locateWeight(weightNow());
      const paths = layers.slice(layer + 1).reduce((n, l) => n * l.outputs, 1);
      const hidden = widths.some((w) => w > MAX_UNITS)
        ? ` The first ${MAX_UNITS} units of a layer are drawn.`
        : "";
      const name = weightName(weightNow());
      caption.textContent =
        `${name.charAt(0).toUpperCase()}${name.slice(1)} is ${formatNumber(weightsNow()[weightNow()])}; its gradient is ${formatNumber(g)}. ` +
        `${countNoun(paths, "path")} lead${paths === 1 ? "s" : ""} from it to the output.${hidden}`;
      paint();
      factors.replaceChildren(...factorsOfWeight());
      if (document.activeElement !== nudge) nudge.value = state.nudge;
      nudge.setAttribute("aria-valuetext", `by ${formatNumber(nudgeSize(), 3)}`);
      promised.replaceChildren(...nudgeTable());
    },
    glide() {},
  });
}

// Show a weight's gradient on the selected row: its factors, and the share of each path.
function factorsOfWeight() {
  const r = rowNow();
  const w = weightsNow();
  const trace = propagateRow(w, r);
  const { layer, from, to } = locateWeight(weightNow());
  const stage = trace.stages[layer];
  const x = from < 0 ? 1 : stage.input[from];
  const bends = layers[layer].function;
  const goal = run.task === "classes" ? m.i("z") : yHat();
  const total = x * stage.dBefore[to];
  const input =
    from < 0
      ? part("mn")("1")
      : layer === 0
        ? m.sub(m.i("x"), part("mn")(from + 1))
        : layerSymbol("h", layer, from + 1);
  const inner = [input, ...(bends ? [m.o("·"), m.sup(m.i("f"), m.o("′"))] : [])];
  const back =
    layer === layers.length - 1
      ? slope(m.i("L"), goal)
      : slope(m.i("L"), layerSymbol("h", layer + 1, to + 1));
  const numbers = [
    inBrackets(x, 3),
    ...(bends ? [m.o("·"), inBrackets(stage.bend[to], 3)] : []),
    m.o("·"),
    inBrackets(stage.dAfter[to], 3),
  ];
  const head = m.block(
    m.row(slope(m.i("L"), weightSymbol(weightNow())), m.o("="), ...inner, m.o("·"), back),
  );
  const lines = [
    el(
      "p",
      { class: "hint" },
      `On row ${data.row_numbers[r]}; the sum over all rows is the gradient.`,
    ),
    head,
    m.block(m.row(m.infix("="), ...numbers), m.row(m.infix("="), m.n(total, 3))),
  ];
  const paths = strongestPaths(trace, layer, to).slice(0, 4);
  if (layer < layers.length - 1) {
    const after = stage.dAfter[to];
    lines.push(
      el(
        "p",
        { class: "hint" },
        paths.length < 2
          ? "The gradient comes back along its path:"
          : "The gradient comes back by these paths, the strongest first:",
      ),
      createTable(
        ["through", "product", "share"],
        paths.map(({ way, product }) => [
          way
            .map((k, i) => (layer + 1 + i === layers.length - 1 ? outputName(k) : `unit ${k + 1}`))
            .join(" → "),
          signedText(product, 3),
          after ? `${formatNumber(Math.round((100 * product) / after))} %` : "–",
        ]),
        { class: "numbers" },
      ),
    );
  }
  return lines;
}

/**
 * Return paths from a unit to the outputs with their products, by a beam search of width 400.
 * @param {Trace} trace
 * @param {number} layer
 * @param {number} unit
 */
function strongestPaths(trace, layer, unit) {
  const w = weightsNow();
  /** @type {{ way: number[], at: number, product: number }[]} */
  let beam = [{ way: [], at: unit, product: 1 }];
  for (let l = layer + 1; l < layers.length; l++) {
    const { weight, outputs } = layers[l];
    const bend = trace.stages[l].bend;
    beam = beam.flatMap(({ way, at, product }) =>
      Array.from({ length: outputs }, (_, j) => ({
        way: [...way, j],
        at: j,
        product: product * w[weight + at * outputs + j] * bend[j],
      })),
    );
    beam.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    beam = beam.slice(0, 400);
  }
  const ends = trace.stages[trace.stages.length - 1].dAfter;
  return beam
    .map((path) => ({ ...path, product: path.product * ends[path.at] }))
    .sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
}

// Compare the change that the slope predicts for a nudge with the actual change of the loss.
function nudgeTable() {
  const delta = nudgeSize();
  const g = gradientsNow()[weightNow()];
  const w = weightsNow()[weightNow()];
  const loss = lossOverWeight(weightsNow(), weightNow());
  const seen = loss(w + delta) - loss(w);
  const rows = [
    ["nudge δ", formatNumber(delta, 3)],
    ["predicted: slope · δ", signedText(g * delta, 4)],
    ["actual", signedText(seen, 4)],
  ];
  const words = !state.nudge
    ? "Move the slider: near 0 the slope predicts the change well; further away the curve bends."
    : Math.abs(seen - g * delta) <= 0.1 * Math.abs(seen)
      ? "The slope predicts the change to within a tenth."
      : "This far out, the curve has bent away from its tangent.";
  return [
    createTable(["", "change"], rows, { class: "numbers", id: "nudge-numbers" }),
    el("p", { class: "hint" }, words),
  ];
}
