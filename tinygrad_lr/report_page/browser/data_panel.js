// @ts-check
// Screen 1: the data, and the model as it is at this step.

import { Chart, createPair, createScreen, createTable } from "./chart.js";
import { draw, el, signedText } from "./elements.js";
import { shorten, extent, columnName, formatNumber, formatInteger } from "./format.js";
import { modelFormula, lineInOwnUnits } from "./formulas.js";
import { count, features, isLine, computeOutputs, toOwnX, toOwnY } from "./model.js";
import { data, run } from "./run_data.js";
import { followPointer } from "./pointer.js";
import { lossNow, panels, rowNow, state, stepNow, weightsNow } from "./state.js";

export function dataPanel() {
  if (run.task !== "regression" || !count) return;
  const { x_names: names, y_name: target } = data;
  const curved = run.open && features === 1;
  const root = createScreen(
    "data",
    !curved ? "What it predicts" : run.line ? "The data and the line" : "The data and the curve",
    curved
      ? `Each point is a row. The bold ${run.line ? "line" : "curve"} is the model at this step; ` +
          "the thin lines are its residuals u = ŷ − y at some rows. " +
          "Descent minimises the mean of their squares, the loss."
      : "Each point is a row: the prediction at this step against the observed value. " +
          "A perfect model has all points on the diagonal.",
  );
  const host = el("div", { class: "plot" });
  const side = el("div", { class: "side" });
  createPair(root, el("figure", {}, host, el("figcaption", {})), side);
  const caption = root.querySelector("figcaption");
  const y = data.y.map(toOwnY);
  const x = curved ? data.x.map((row) => toOwnX(row[0], 0)) : [];
  const shown = Math.min(count, run.open ? count : 300);
  const closed = run.closed_form;

  /**
   * @param {number[]} weights
   * @returns {number[]}
   */
  const predicted = (weights) =>
    run.open
      ? Array.from(computeOutputs(weights), toOwnY)
      : run.outputs[state.frame].map((z) => (z === null ? NaN : toOwnY(z)));
  /** @type {number[]} */
  let now = [];
  const grid = curved
    ? Array.from({ length: 121 }, (_, i) => {
        const [low, high] = extent(data.x.map((row) => row[0]));
        return low + ((high - low) * i) / 120;
      })
    : [];

  const yDomain = extent(y, 0.06);
  const chart = new Chart(host, {
    x: {
      domain: curved ? extent(x, 0.03) : extent(y, 0.06),
      name: curved ? shorten(names[0], 44) : `${shorten(target, 30)}, observed`,
    },
    y: {
      domain: yDomain,
      name: curved ? shorten(target, 44) : `${shorten(target, 30)}, predicted`,
    },
    ratio: 0.72,
    still(c) {
      c.back.append(
        ...(curved
          ? x.map((a, i) => c.dot(a, y[i], count > 400 ? 2.6 : 3.4, { class: "point" }))
          : []),
      );
      if (!curved)
        c.back.append(
          c.path(
            [
              [yDomain[0], yDomain[0]],
              [yDomain[1], yDomain[1]],
            ],
            { class: "truth" },
          ),
        );
      if (curved && closed) {
        const ends = c.options.x.domain;
        /** @param {number} a */
        const line = (a) => closed.slope[0] * a + closed.intercept;
        c.back.append(
          c.path(
            ends.map((a) => [a, line(a)]),
            { class: "truth" },
          ),
        );
        c.front.append(
          labelLine(
            c,
            ends,
            ends.map(line),
            run.line ? "closed form" : "best line",
            true,
            "truth-text",
          ),
        );
      }
    },
    moving: (c) => paint(c, run.open ? weightsNow() : []),
    label: () => caption.textContent,
  });

  /**
   * @param {Chart} c
   * @param {number[]} weights
   */
  function paint(c, weights) {
    now = predicted(weights);
    if (!curved) {
      c.clipped(
        now
          .slice(0, shown)
          .map((p, i) =>
            Number.isFinite(p) ? c.dot(y[i], p, 3, { class: "point model-point" }) : null,
          )
          .filter(Boolean),
      );
      const r = rowNow();
      if (r < shown && Number.isFinite(now[r]))
        c.clipped(c.dot(y[r], now[r], 6, { class: "ring" }));
      return;
    }
    paintGhosts(c);
    const truth = c.front.querySelector(".truth-text");
    const followed = rowNow();
    const some = Math.max(1, Math.floor(count / 24));
    for (let i = Math.floor(some / 2); i < count; i += some) paintResidual(c, i, "");
    const curve = Array.from(computeOutputs(weights, Float64Array.from(grid), grid.length), toOwnY);
    const points = grid.map((z, i) => [toOwnX(z, 0), curve[i]]);
    c.clipped(c.path(points, { class: "model halo" }), c.path(points, { class: "model" }));
    paintResidual(c, followed, "strong");
    c.clipped(c.dot(x[followed], y[followed], 6, { class: "ring" }));
    const ends = [points[0], points[points.length - 1]];
    c.put(
      labelLine(
        c,
        ends.map((p) => p[0]),
        ends.map((p) => p[1]),
        `step ${stepNow()}`,
        false,
        "model-text",
        truth,
      ),
    );
  }

  /**
   * Paint the model at a few earlier frames, paler the older they are.
   * @param {Chart} c
   */
  function paintGhosts(c) {
    for (let back = 1; back <= 8 && back <= state.frame; back++) {
      const curve = computeOutputs(
        run.weights[state.frame - back],
        Float64Array.from(grid),
        grid.length,
      );
      const points = grid.map((z, i) => [toOwnX(z, 0), toOwnY(curve[i])]);
      c.clipped(
        c.path(points, { class: "ghost", "stroke-opacity": (0.4 - 0.045 * back).toFixed(3) }),
      );
    }
  }

  /**
   * @param {Chart} c
   * @param {number} i
   * @param {string} kind
   */
  function paintResidual(c, i, kind) {
    const u = now[i] - y[i];
    if (!Number.isFinite(u)) return;
    const sign = u > 0 ? "up" : "down";
    c.clipped(
      draw("line", {
        x1: c.x(x[i]),
        x2: c.x(x[i]),
        y1: c.y(y[i]),
        y2: c.y(now[i]),
        class: `hair ${sign} ${kind}`,
      }),
    );
  }

  followPointer(host, chart, () => (curved ? [x, y] : [y, now]), shown);

  const formula = el("div", { class: "formula" });
  const figures = el("div", {});
  const followed = el("p", { class: "followed" });
  side.append(el("h3", {}, "The model now"), formula, figures, followed);

  panels.push({
    update() {
      now = predicted(run.open ? weightsNow() : []);
      chart.move();
      formula.replaceChildren(...(run.open ? [modelFormula()].flat() : []));
      figures.replaceChildren(comparisonTable(closed), ...closedFormNote(closed));
      const r = rowNow();
      const u = now[r] - y[r];
      const own = curved ? `${columnName(names[0])} = ${formatNumber(x[r])}, ` : "";
      followed.replaceChildren(
        `Row ${data.row_numbers[r]}: ${own}${columnName(target)} = ${formatNumber(y[r])}; the model says `,
        el("span", { class: "number model-text" }, formatNumber(now[r])),
        ", so u = ",
        signedText(u),
        ".",
        el("span", { class: "hint" }, " Point at another row; click to keep it."),
      );
      caption.textContent = captionText(closed);
      chart.svg.setAttribute("aria-label", caption.textContent);
    },
    /** @param {number[]} weights */
    glide(weights) {
      chart.clear();
      paint(chart, weights);
    },
  });

  /** @param {ClosedForm | null} form */
  function captionText(form) {
    const loss = lossNow();
    const lowest = form && run.same_rows ? form.mse / data.y_scale ** 2 : null;
    const gap =
      lowest === null || !run.line
        ? ""
        : loss - lowest < 1e-6 * lowest
          ? ", the minimum for a line: that of the closed form"
          : `; the closed form has ${formatNumber(lowest)}`;
    const sampled =
      count < data.rows
        ? ` ${formatInteger(count)} of ${formatInteger(data.rows)} rows are drawn.`
        : "";
    return `At step ${stepNow()} the loss is ${formatNumber(loss)}${gap}.${sampled}`;
  }
}

/**
 * Label a line above its high end or below its low end, where there is room;
 * at the other end if another label is there.
 * @param {Chart} chart
 * @param {number[]} xs
 * @param {number[]} ys
 * @param {string} text
 * @param {boolean} above
 * @param {string} kind
 * @param {Element | null} [other]
 */
function labelLine(chart, [x0, x1], [y0, y1], text, above, kind, other = null) {
  const low = chart.y(Math.min(y0, y1)) + 24 * chart.unit > chart.box.bottom;
  if (low) above = true; // below, there is no room
  const right = y1 >= y0 === above;
  /** @param {boolean} end */
  const at = (end) =>
    chart.note(
      end ? x1 : x0,
      end ? y1 : y0,
      text,
      { class: kind, "text-anchor": end ? "end" : "start" },
      0,
      above ? -9 : 20,
    );
  const found = at(right);
  /** @param {string} key */
  const gap = (key) => Math.abs(Number(found.getAttribute(key)) - Number(other?.getAttribute(key)));
  const taken = other && gap("x") < 80 * chart.unit && gap("y") < 18 * chart.unit;
  return taken ? at(!right) : found;
}

/**
 * Show the numbers of the model beside those of the closed form.
 * @param {ClosedForm | null} closed
 */
function comparisonTable(closed) {
  const rows = [];
  if (isLine) {
    const { slopes, intercept } = lineInOwnUnits(weightsNow());
    slopes
      .slice(0, 8)
      .forEach((slope, i) =>
        rows.push([
          features === 1 ? "slope" : columnName(data.x_names[i], 18),
          formatNumber(slope, 6),
          ...(closed ? [formatNumber(closed.slope[i], 6)] : []),
        ]),
      );
    if (features > 8) rows.push([`${features - 8} more`, "", ...(closed ? [""] : [])]);
    rows.push([
      "intercept",
      formatNumber(intercept, 6),
      ...(closed ? [formatNumber(closed.intercept, 6)] : []),
    ]);
  }
  const lowest = closed && formatNumber(closed.mse / data.y_scale ** 2, 6);
  rows.push(["loss", formatNumber(lossNow(), 6), ...(closed ? [lowest] : [])]);
  const head = [
    "",
    `step ${stepNow()}`,
    ...(closed ? [run.line ? "closed form" : "best line"] : []),
  ];
  return createTable(head, rows, { class: "numbers", id: "model-numbers" });
}

/**
 * Return how much the closed form explains, and the error of its slope.
 * @param {ClosedForm | null} closed
 */
function closedFormNote(closed) {
  if (!closed || !run.line || closed.r_squared === null) return [];
  const error = features === 1 ? closed.slope_error[0] : null;
  const known = error === null ? "" : ` Its slope is known to ± ${formatNumber(error, 2)}.`;
  const share = (100 * closed.r_squared).toFixed(1);
  const words = `The closed form explains ${share} % of the variation of ${columnName(data.y_name)}.`;
  return [el("p", { class: "hint" }, words + known)];
}
