// @ts-check
// Beside the loss curve: contours of the loss over two directions, with the path of the run.

import { Chart, createScreen } from "./chart.js";
import { draw, el } from "./elements.js";
import { countNoun, extent, columnName, formatNumber } from "./format.js";
import { data, run } from "./run_data.js";
import { lossNow, panels, state, stepNow } from "./state.js";

/**
 * Return a contour line of a grid, by marching squares, as pairs of points.
 * @param {LineSurface | PrincipalSurface} domain
 * @param {number} level
 * @returns {Point[][]}
 */
function contourLines({ a, b, losses }, level) {
  /** @type {Point[][]} */
  const found = [];
  /**
   * @param {number} p
   * @param {number} q
   * @param {number} u
   * @param {number} v
   */
  const between = (p, q, u, v) => p + ((q - p) * (level - u)) / (v - u);
  for (let j = 0; j + 1 < b.length; j++) {
    for (let i = 0; i + 1 < a.length; i++) {
      const corners = [losses[j][i], losses[j][i + 1], losses[j + 1][i + 1], losses[j + 1][i]];
      if (corners.some((c) => c === null)) continue;
      const [p, q, r, s] = corners.map(Number);
      /** @type {Point[]} */
      const cuts = [];
      if (p > level !== q > level) cuts.push([between(a[i], a[i + 1], p, q), b[j]]);
      if (q > level !== r > level) cuts.push([a[i + 1], between(b[j], b[j + 1], q, r)]);
      if (s > level !== r > level) cuts.push([between(a[i], a[i + 1], s, r), b[j + 1]]);
      if (p > level !== s > level) cuts.push([a[i], between(b[j], b[j + 1], p, s)]);
      for (let k = 0; k + 1 < cuts.length; k += 2) found.push([cuts[k], cuts[k + 1]]);
    }
  }
  return found;
}

export function surfaceOnlyPanel() {
  if (!run.surface) return;
  const root = createScreen("hill", "The hill", "The loss around the path of the run.");
  const figure = el("figure", {});
  root.append(el("div", { class: "pair" }, figure));
  drawSurface(figure);
}

// Return where the path has led so far, in words.
function pathSentence() {
  if (state.frame === 0) return "The descent starts here.";
  const down = lossNow() < run.full[0];
  return `The path of ${countNoun(stepNow(), "step")} leads ${down ? "down towards" : "up and away from"} the closed form.`;
}

/** @param {HTMLElement} figure */
export function drawSurface(figure) {
  const surface = /** @type {LineSurface | PrincipalSurface} */ (run.surface);
  const line = surface.kind === "line";
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", {});
  figure.append(host, caption);
  const heights = surface.losses.flat().filter((x) => x !== null);
  const [low, high] = extent(heights);
  const levels = Array.from({ length: 11 }, (_, k) => low + (high - low) * ((k + 0.9) / 11) ** 2);
  const unit =
    data.x_scale && data.x_scale[0] !== 1
      ? `, per standard deviation of ${columnName(data.x_names[0], 20)}`
      : "";
  const chart = new Chart(host, {
    x: {
      domain: [surface.a[0], surface.a[surface.a.length - 1]],
      name: line ? `w${unit}` : "first direction of the path",
    },
    y: {
      domain: [surface.b[0], surface.b[surface.b.length - 1]],
      name: line ? "b" : "second direction of the path",
    },
    ratio: 0.72,
    still(c) {
      levels.forEach((level, k) => {
        const d = contourLines(surface, level)
          .map(
            ([p, q]) =>
              `M${c.x(p[0]).toFixed(1)} ${c.y(p[1]).toFixed(1)}L${c.x(q[0]).toFixed(1)} ${c.y(q[1]).toFixed(1)}`,
          )
          .join("");
        c.back.append(
          draw("path", { d, class: "contour", "stroke-opacity": (0.85 - 0.055 * k).toFixed(2) }),
        );
        if (k % 4 === 2) labelLevel(c, level);
      });
      if (surface.kind === "line") {
        const [a, b] = surface.minimum;
        const [x, y] = [c.x(a), c.y(b)];
        c.front.append(
          draw("path", { d: `M${x - 6} ${y}H${x + 6}M${x} ${y - 6}V${y + 6}`, class: "truth" }),
          c.note(a, b, "closed form", { class: "truth-text" }, 10, 18),
        );
      }
    },
    moving(c) {
      const path = surface.path.slice(0, state.frame + 1);
      c.clipped(
        c.path(path, { class: "way" }),
        path.map(([a, b]) => c.dot(a, b, 2.4, { class: "way-dot" })),
      );
      const here = path[path.length - 1];
      if (state.frame >= surface.path.length) return;
      const next = surface.path[state.frame + 1];
      if (next)
        c.clipped(c.arrow(here[0], here[1], next[0], next[1], { class: "arrow step" }) || "");
      c.clipped(c.dot(here[0], here[1], 5.5, { class: "now" }));
    },
    label: () => caption.textContent,
  });

  /**
   * @param {Chart} c
   * @param {number} level
   */
  function labelLevel(c, level) {
    const [left, right] = [c.box.left + 40 * c.unit, c.box.right - 40 * c.unit];
    const cuts = contourLines(surface, level)
      .map(([p]) => p)
      .filter(([a]) => c.x(a) > left && c.x(a) < right);
    if (!cuts.length) return;
    const top = cuts.reduce((best, p) => (p[1] > best[1] ? p : best));
    c.front.append(
      c.note(
        top[0],
        top[1],
        formatNumber(level, 3),
        { class: "tick level-text", "text-anchor": "middle" },
        0,
        4,
      ),
    );
  }

  panels.push({
    glide(weights, eased) {
      const path = surface.path.slice(0, state.frame + 1);
      const [here, next] = surface.path.slice(state.frame);
      if (!next) return;
      const between = here.map((a, k) => a + eased * (next[k] - a));
      chart.clear();
      chart.clipped(chart.path([...path, between], { class: "way" }));
      chart.clipped(path.map(([a, b]) => chart.dot(a, b, 2.4, { class: "way-dot" })));
      chart.clipped(chart.dot(between[0], between[1], 5.5, { class: "now" }));
    },
    update() {
      chart.move();
      const beyond =
        state.frame >= surface.path.length ? " The descent has left this picture." : "";
      caption.textContent =
        (line
          ? `Lines of equal loss over w and b: where they are close, the hill is steep. ${pathSentence()}`
          : `Lines of equal loss in the plane in which the weights moved most; ${Math.round(100 * surface.share)} % of their movement is in it.`) +
        beyond;
      chart.svg.setAttribute("aria-label", caption.textContent);
    },
  });
}
