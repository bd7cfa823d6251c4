// @ts-check
// Screen 5, below: the size of the gradient in each layer, over the run and at this frame.

import { Chart, createScreen } from "./chart.js";
import { draw, el } from "./elements.js";
import { shorten, extent, formatNumber } from "./format.js";
import { run } from "./run_data.js";
import { panels, state } from "./state.js";

export function gradientFlowPanel() {
  const matrices = run.parameters.map((p, i) => ({ ...p, i })).filter((p) => p.shape.length > 1);
  if (matrices.length < 2 || matrices.length > 40) return;
  const sizes = matrices.map((p) => run.sizes.map((row) => row[p.i]));
  const positive = sizes.flat().filter((s) => s > 0 && Number.isFinite(s));
  if (!positive.length) return;
  const host =
    document.getElementById("network") ||
    createScreen("depth", "Through the layers", "How large the gradient is in each layer.");
  const plot = el("div", { class: "plot" });
  const caption = el("figcaption", {});
  host.append(
    el(
      "figure",
      { class: "wide" },
      el("h3", {}, "The size of the gradient, layer by layer"),
      plot,
      caption,
    ),
  );
  const [low, high] = extent(positive);
  const floor = Math.max(low, high * 1e-9) / 1.5;
  const chart = new Chart(plot, {
    x: { domain: [floor, high * 1.5], log: true, name: "root mean square of the gradient" },
    y: { domain: [matrices.length - 0.5, -0.5], bare: true },
    ratio: Math.min(0.5, 0.1 + 0.045 * matrices.length),
    right: 16,
    still(c) {
      c.back.append(
        ...matrices.map((p, k) => {
          const [a, b] = extent(sizes[k].filter((s) => s > 0));
          return draw("line", {
            x1: c.x(Math.max(a, floor)),
            x2: c.x(Math.min(b, high * 1.5)),
            y1: c.y(k),
            y2: c.y(k),
            class: "span",
          });
        }),
      );
      c.front.append(
        ...matrices.map((p, k) =>
          draw(
            "text",
            { x: c.box.left, y: c.y(k) - 9, class: "tick" },
            run.open ? `layer ${k + 1}` : shorten(p.name, 40),
          ),
        ),
      );
    },
    moving(c) {
      const now = matrices.map((p) => run.sizes[state.frame][p.i]);
      c.clipped(
        now.map((s, k) => (s > floor ? c.dot(s, k, 7, { class: "size" }) : null)).filter(Boolean),
      );
    },
    label: () => caption.textContent,
  });
  chart.fit();
  panels.push({
    update() {
      const now = matrices.map((p) => run.sizes[state.frame][p.i]);
      const ratio = now[0] / now[now.length - 1];
      caption.textContent =
        !Number.isFinite(ratio) || !ratio
          ? "The gradient is zero in a layer."
          : ratio < 0.1
            ? `The first layer's gradient is ${formatNumber(1 / ratio, 2)} times smaller than the last one's: it vanishes on the way back.`
            : ratio > 10
              ? `The first layer's gradient is ${formatNumber(ratio, 2)} times larger than the last one's: it grows on the way back.`
              : `The first layer's gradient is ${formatNumber(ratio, 2)} times the last one's: it keeps its size on the way back.`;
      caption.textContent += " Pale lines: the range over the run.";
      chart.move();
    },
  });
}
