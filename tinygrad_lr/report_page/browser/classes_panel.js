// @ts-check
// Screen 1 of a classifier: its decision boundary, or its confusion matrix.

import { Chart, createPair, createScreen, createTable } from "./chart.js";
import { draw, el } from "./elements.js";
import { shorten, extent, formatNumber, formatInteger } from "./format.js";
import { modelFormula } from "./formulas.js";
import { count, features, layers, computeOutputs, toOwnX, softmax, propagateRow } from "./model.js";
import { data, run } from "./run_data.js";
import { followPointer } from "./pointer.js";
import { lossNow, panels, rowNow, state, stepNow, weightsNow } from "./state.js";

const CLASS_COLORS = [
  "--model",
  "--up",
  "--step",
  "--class-4",
  "--class-5",
  "--down",
  "--class-7",
  "--truth",
];
/** @typedef {"circle" | "square" | "triangle" | "diamond"} MarkShape */
/** @type {MarkShape[]} */
const MARK_SHAPES = ["circle", "square", "triangle", "diamond"];

export function classesPanel() {
  if (run.task !== "classes" || !count) return;
  const bordered = run.open && features === 2 && data.labels.length <= CLASS_COLORS.length;
  const root = createScreen(
    "data",
    bordered ? "The data and the decision boundary" : "What it predicts",
    bordered
      ? "Each mark is a row; its shape and colour show the class. The plane has the colour of the class " +
          "that is most probable at this step, stronger where the model is more certain."
      : run.confusion
        ? "How often each class is predicted for each true class, at this step."
        : "The model's probability of each class for a row, at this step.",
  );
  const side = el("div", { class: "side" });
  const caption = el("figcaption", {});
  const figure = el("figure", {});
  createPair(root, figure, side);
  const boundary = bordered ? boundaryChart(figure) : null;
  figure.append(caption);
  const followed = el("div", { class: "followed" });
  const confused = el("div", { class: "scroll" });
  if (bordered) side.append(el("h3", {}, "The confusion matrix"), confused);
  else figure.prepend(confused);
  side.append(followed);
  if (run.open)
    side.append(
      el("h3", {}, "The model"),
      el("div", { class: "formula" }, [modelFormula()].flat()),
    );

  panels.push({
    update() {
      const counts = run.confusion ? run.confusion[state.frame] : null;
      const right = counts ? counts.reduce((sum, row, i) => sum + row[i], 0) : 0;
      const all = counts ? counts.flat().reduce((a, b) => a + b, 0) : 0;
      caption.textContent = counts
        ? `At step ${stepNow()}, ${((100 * right) / all).toFixed(1)} % of ${formatInteger(all)} rows are correct; the loss is ${formatNumber(lossNow())}.`
        : `At step ${stepNow()} the loss is ${formatNumber(lossNow())}.`;
      if (boundary) boundary.chart.move();
      if (counts) confused.replaceChildren(confusionTable(counts));
      if (run.open) followed.replaceChildren(...probabilityBars());
    },
    /** @param {number[]} weights */
    glide(weights) {
      if (boundary) boundary.paint(weights);
    },
  });
}

/** @param {number[][]} counts */
function confusionTable(counts) {
  const found = createTable(
    ["true ↓ predicted →", ...data.labels.map((l) => shorten(l, 12))],
    counts.map((row, i) => [shorten(data.labels[i], 12), ...row.map(String)]),
    { class: "numbers confusion", id: "confusion" },
  );
  for (const [i, line] of found.querySelectorAll("tbody tr").entries()) {
    for (const [j, cell] of line.querySelectorAll("td").entries()) {
      if (i === j) cell.className = "right";
    }
  }
  return found;
}

// Show the probabilities of the selected row; with many classes, the highest and the true one.
function probabilityBars() {
  const r = rowNow();
  const { probabilities } = propagateRow(weightsNow(), r);
  let kept = probabilities.map((p, k) => k);
  if (kept.length > CLASS_COLORS.length) {
    kept.sort((a, b) => probabilities[b] - probabilities[a]);
    kept = [...new Set([data.y[r], ...kept])].slice(0, CLASS_COLORS.length);
  }
  const bars = kept.map((k) => {
    const p = probabilities[k];
    return el(
      "div",
      { class: "bar-line" },
      el("span", { class: "bar-name" }, shorten(data.labels[k], 14)),
      draw(
        "svg",
        {
          class: "bar",
          viewBox: "0 0 100 10",
          preserveAspectRatio: "none",
          "aria-hidden": "true",
        },
        draw("rect", { x: 0, y: 1, width: 100, height: 8, class: "bar-room" }),
        draw("rect", {
          x: 0,
          y: 1,
          width: (100 * p).toFixed(2),
          height: 8,
          class: k < CLASS_COLORS.length ? `class-${k}` : "bar-filled",
        }),
      ),
      el("span", { class: "number" }, p.toFixed(3)),
    );
  });
  return [
    el(
      "p",
      {},
      `Row ${data.row_numbers[r]} is of class ${shorten(data.labels[data.y[r]])}; the model's probabilities:`,
    ),
    ...bars,
  ];
}

/**
 * @param {{ x(value: number): number, y(value: number): number }} chart
 * @param {MarkShape} kind
 * @param {number} a
 * @param {number} b
 * @param {number} size
 * @param {Attributes} attributes
 */
function drawMark(chart, kind, a, b, size, attributes) {
  const [x, y] = [chart.x(a), chart.y(b)];
  const s = size;
  const shapes = {
    circle: () => draw("circle", { cx: x, cy: y, r: s, ...attributes }),
    square: () => draw("rect", { x: x - s, y: y - s, width: 2 * s, height: 2 * s, ...attributes }),
    triangle: () =>
      draw("path", {
        d: `M${x} ${y - 1.2 * s}L${x + 1.1 * s} ${y + s}L${x - 1.1 * s} ${y + s}Z`,
        ...attributes,
      }),
    diamond: () =>
      draw("path", {
        d: `M${x} ${y - 1.3 * s}L${x + 1.3 * s} ${y}L${x} ${y + 1.3 * s}L${x - 1.3 * s} ${y}Z`,
        ...attributes,
      }),
  };
  return shapes[kind]();
}

/** @param {HTMLElement} figure */
function boundaryChart(figure) {
  const key = el(
    "p",
    { class: "key" },
    data.labels.map((label, k) =>
      el(
        "span",
        { class: `class-${k}` },
        draw(
          "svg",
          { width: 14, height: 14, viewBox: "-7 -7 14 14", "aria-hidden": "true" },
          drawMark({ x: (v) => v, y: (v) => v }, MARK_SHAPES[k % 4], 0, 0, 4.5, {
            class: "sample",
          }),
        ),
        ` ${shorten(label, 20)}`,
      ),
    ),
  );
  const host = el("div", { class: "plot" });
  figure.append(key, host);
  const [x, y] = [0, 1].map((c) => data.x.map((row) => toOwnX(row[c], c)));
  const field = el("canvas", { "aria-hidden": "true" });
  const side = 64;
  field.width = field.height = side;
  /** @type {SVGImageElement | null} */
  let plane = null;
  const chart = new Chart(host, {
    x: { domain: extent(x, 0.08), name: shorten(data.x_names[0], 40) },
    y: { domain: extent(y, 0.08), name: shorten(data.x_names[1], 40) },
    ratio: 0.78,
    still(c) {
      const image = draw("image", {
        x: c.box.left,
        y: c.box.top,
        width: c.box.right - c.box.left,
        height: c.box.bottom - c.box.top,
        preserveAspectRatio: "none",
        class: "field",
      });
      plane = image;
      c.back.append(image);
      c.back.append(
        ...x.map((a, i) =>
          drawMark(c, MARK_SHAPES[data.y[i] % 4], a, y[i], 3.6, {
            class: `mark class-${data.y[i]}`,
          }),
        ),
      );
    },
    moving(c) {
      paintField(weightsNow());
      const r = rowNow();
      c.clipped(c.dot(x[r], y[r], 8, { class: "ring" }));
    },
    label: () => figure.querySelector("figcaption")?.textContent ?? "",
  });
  /**
   * @param {number[]} weights
   */
  function paintField(weights) {
    const [[x0, x1], [y0, y1]] = [chart.options.x.domain, chart.options.y.domain];
    const places = new Float64Array(2 * side * side);
    for (let i = 0; i < side; i++) {
      for (let j = 0; j < side; j++) {
        const at = 2 * (i * side + j);
        places[at] = (x0 + ((j + 0.5) / side) * (x1 - x0) - data.x_mean[0]) / data.x_scale[0];
        places[at + 1] = (y1 - ((i + 0.5) / side) * (y1 - y0) - data.x_mean[1]) / data.x_scale[1];
      }
    }
    const answer = computeOutputs(weights, places, side * side);
    const width = layers[layers.length - 1].outputs;
    const style = getComputedStyle(document.documentElement);
    const colours = CLASS_COLORS.map((name) => style.getPropertyValue(name).trim()).map((hex) =>
      [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)),
    );
    const pixels = new ImageData(side, side);
    for (let r = 0; r < side * side; r++) {
      const p = softmax(answer.subarray(r * width, (r + 1) * width));
      const best = p.indexOf(Math.max(...p));
      const sure = (p[best] - 1 / width) / (1 - 1 / width);
      pixels.data.set([...(colours[best] || [128, 128, 128]), 25 + 90 * sure], 4 * r);
    }
    field.getContext("2d").putImageData(pixels, 0, 0);
    plane?.setAttribute("href", field.toDataURL());
  }

  followPointer(host, chart, () => [x, y], count);
  return { chart, paint: (/** @type {number[]} */ weights) => paintField(weights) };
}
