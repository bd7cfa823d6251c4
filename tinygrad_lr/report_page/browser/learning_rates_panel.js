// @ts-check
// Screen 3: learning rates. Three descents from the same weights, on one scale.

import { Chart, createScreen } from "./chart.js";
import { draw, el } from "./elements.js";
import { extent, formatNumber } from "./format.js";
import { bestFrame, weightEnd, sampleCurve } from "./loss_curve_panel.js";
import { features, lossOverWeight, isLine } from "./model.js";
import { run } from "./run_data.js";
import { panels, stepNow } from "./state.js";

export function learningRatesPanel() {
  const comparison = run.trials;
  if (!comparison) return;
  const { limit, trials, exact } = comparison;
  const root = createScreen(
    "rates",
    "Learning rates",
    exact
      ? "The same descent with three learning rates. Along the steepest direction a step multiplies " +
          "the distance to the bottom by 1\u00a0−\u00a0rate\u00a0·\u00a0λ, so beyond 2/\u2060λmax every step moves further away."
      : "Plain descents from this run's initial weights, with three learning rates. At those weights " +
          "the largest stable rate is 2/\u2060λmax. The loss surface changes on the way, and so does the limit.",
  );
  const axis = el("div", { class: "plot short" });
  const axisFigure = el("figure", { class: "wide" }, axis);
  root.append(axisFigure);
  const rates = trials.map((t) => t.rate);
  /** @type {Point} */
  const wide = [Math.min(...rates) / 3, Math.max(...rates, limit) * 3];
  const ruler = new Chart(axis, {
    x: { domain: wide, log: true, name: "learning rate" },
    y: { domain: [0, 1], bare: true },
    ratio: 0.1,
    least: 110,
    still: (c) => {
      const { top, bottom, right } = c.box;
      c.back.append(
        draw("rect", {
          x: c.x(limit),
          y: top,
          width: right - c.x(limit),
          height: bottom - top,
          class: "beyond",
        }),
      );
      c.back.append(
        draw("line", { x1: c.x(limit), x2: c.x(limit), y1: top, y2: bottom, class: "limit" }),
      );
      trials.forEach((t, k) => {
        const at = c.x(t.rate);
        const middle = bottom - 22 * c.unit;
        c.front.append(
          draw("circle", {
            cx: at,
            cy: bottom - 10,
            r: 6,
            class:
              t.verdict === "too large" ? "rate bad" : t.verdict === "right" ? "rate good" : "rate",
          }),
        );
        c.front.append(
          c.note(
            t.rate,
            0,
            formatNumber(t.rate, 3),
            { "text-anchor": labelAnchor(c, k) },
            t.rate > limit && labelAnchor(c, k) === "middle" ? 14 * c.unit : 0,
            -(bottom - middle),
          ),
        );
      });
      c.front.append(
        c.note(
          limit,
          1,
          `2/λmax = ${formatNumber(limit)}`,
          { class: "limit-text", "text-anchor": "end" },
          -8,
          10,
        ),
      );
    },
    label: () =>
      `Learning rates ${rates.map((r) => formatNumber(r, 3)).join(", ")}; the stable limit is ${formatNumber(limit)}.`,
  });
  ruler.fit();

  /**
   * Return the text anchor of a rate's label, so that close ones don't overlap.
   * @param {Chart} c
   * @param {number} k
   */
  function labelAnchor(c, k) {
    /** @param {number} j */
    const near = (j) => rates[j] && Math.abs(c.x(rates[j]) - c.x(rates[k])) < 62 * c.unit;
    if (near(k + 1)) return "end";
    return near(k - 1) ? "start" : "middle";
  }

  const multiples = el("div", { class: "triple" });
  root.append(multiples);
  const hill = isLine && features === 1;
  const charts = trials.map((trial) => (hill ? pathChart(trial) : lossChart(trial)));
  panels.push({ update: () => charts.forEach((c) => c.update()) });

  /** @param {Trial} trial */
  function createFigure(trial) {
    const host = el("div", { class: "plot" });
    const caption = el("figcaption", {});
    const title = el(
      "h3",
      {},
      trial.verdict,
      el("span", { class: "light" }, ` ${formatNumber(trial.rate, 3)}`),
    );
    multiples.append(el("figure", {}, title, host, caption));
    return { host, caption };
  }

  /** @param {Trial} trial */
  function outcomeSentence(trial) {
    const end = trial.losses[trial.losses.length - 1];
    const message = trial.message.charAt(0).toUpperCase() + trial.message.slice(1);
    return trial.reason === "diverged" ? `${message}.` : `${message}. Loss ${formatNumber(end)}.`;
  }

  /**
   * Draw the path of w over the loss curve; curve and scale are the same for all three.
   * @param {Trial} trial
   */
  function pathChart(trial) {
    const { host, caption } = createFigure(trial);
    const index = run.chosen;
    const held = run.weights[bestFrame];
    const ends = weightEnd(index);
    const start = Number(trials[0].path[0]);
    const reach = 1.5 * Math.abs(start - ends) || 1;
    /** @type {Point} */
    const domain = [ends - reach, ends + reach];
    const loss = lossOverWeight(held, index);
    const curve = sampleCurve(loss, domain, 61);
    const path = trial.path.map(Number);
    const heights = path.map(loss);
    const chart = new Chart(host, {
      x: { domain, name: "w" },
      y: {
        domain: extent(
          curve.map((p) => p[1]),
          0.08,
        ),
        name: "loss",
      },
      ratio: 0.8,
      still: (c) => c.back.append(c.path(curve, { class: "truth hill" })),
      moving(c) {
        const upTo = Math.min(stepNow(), path.length - 1);
        const points = path.slice(0, upTo + 1).map((w, k) => [w, heights[k]]);
        c.clipped(
          c.path(points, { class: "way" }),
          points.map(([a, b]) => c.dot(a, b, 2.6, { class: "way-dot" })),
        );
        const here = points[points.length - 1];
        if (Math.abs(here[0] - ends) < reach)
          c.clipped(c.dot(here[0], here[1], 6, { class: "now" }));
        else
          c.put(
            draw(
              "text",
              { x: c.box.right, y: 13 * c.unit, class: "up-text", "text-anchor": "end" },
              "left the picture",
            ),
          );
      },
      label: () => `${trial.verdict}: ${caption.textContent}`,
    });
    chart.fit();
    return {
      update() {
        caption.textContent = outcomeSentence(trial);
        chart.move();
      },
    };
  }

  /**
   * Draw the loss by step, for models with several weights.
   * @param {Trial} trial
   */
  function lossChart(trial) {
    const { host, caption } = createFigure(trial);
    const all = trials.flatMap((t) =>
      t.reason === "diverged" ? t.losses.slice(0, 3) : t.losses.slice(0, -1),
    );
    const [low, high] = extent(all.filter((x) => x !== null));
    const log = low > 0 && high / low > 30;
    /** @type {Point} */
    const domain = log ? [low / 1.3, high * 1.6] : extent([low, high], 0.1);
    const shown = trial.losses.slice(0, 41);
    const chart = new Chart(host, {
      x: { domain: [0, 41], name: "step" },
      y: { domain, name: "loss", log },
      ratio: 0.8,
      still: (c) =>
        c.back.append(
          c.path(
            shown.map((l, k) => [k, l]),
            { class: "faint" },
          ),
        ),
      moving(c) {
        const upTo = Math.min(stepNow(), shown.length - 1, 40);
        c.clipped(
          c.path(
            shown.slice(0, upTo + 1).map((l, k) => [k, l]),
            { class: "step-line" },
          ),
        );
        const here = shown[upTo];
        if (here !== null && here <= domain[1]) c.clipped(c.dot(upTo, here, 6, { class: "now" }));
      },
      label: () => `${trial.verdict}: ${caption.textContent}`,
    });
    chart.fit();
    return {
      update() {
        caption.textContent = outcomeSentence(trial);
        chart.move();
      },
    };
  }
}
