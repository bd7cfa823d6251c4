// @ts-check
// Screen 2: the loss over one weight with the others held fixed, its slope, and the step.

import { Chart, createPair, createScreen } from "./chart.js";
import { inBrackets, draw, el, m, signedText, slope } from "./elements.js";
import { extent, columnName, formatNumber } from "./format.js";
import { weightSymbol } from "./formulas.js";
import {
  count,
  features,
  weightIndex,
  layers,
  lossOverWeight,
  isLine,
  outputName,
  locateWeight,
  weightName,
} from "./model.js";
import { data, run } from "./run_data.js";
import {
  setState,
  gradientsNow,
  lastFrame,
  nextWeights,
  panels,
  state,
  weightNow,
  weightsNow,
} from "./state.js";
import { drawSurface, surfaceOnlyPanel } from "./surface_panel.js";

/**
 * Return the weights up to where they leave the chart for good.
 * @param {number[]} track
 * @param {number} ends
 */
function visiblePath(track, ends) {
  const first = Math.max(Math.abs(track[0] - ends), Math.abs((track[1] ?? track[0]) - ends)) || 1;
  const beyond = track.findIndex((w) => !(Math.abs(w - ends) <= 4 * first));
  return beyond < 0 ? track : track.slice(0, Math.max(beyond, Math.min(2, track.length)));
}

// The frame with the smallest loss.
export const bestFrame = Math.max(
  0,
  run.full.indexOf(Math.min(...run.full.filter((x) => x !== null))),
);

/**
 * Return the best value of a weight: the minimum if it is known, else that of the best frame.
 * @param {number} index
 */
export function weightEnd(index) {
  const minimum = run.surface?.kind === "line" ? run.surface.minimum : null;
  if (minimum && index === layers[0].weight) return minimum[0];
  if (minimum && index === layers[0].bias) return minimum[1];
  return run.weights[bestFrame][index];
}

/**
 * Return the window of a weight, the same at every frame: symmetric around its best value.
 * @param {number} index
 */
function weightWindow(index) {
  const track = run.weights.map((row) => row[index]);
  const end = weightEnd(index);
  const path = visiblePath(track, end);
  const reach = Math.max(...path.map((w) => Math.abs(w - end)), 1e-3 * Math.max(1, Math.abs(end)));
  return { middle: end, reach: 1.3 * reach, path };
}

/**
 * Sample the loss over a weight.
 * @param {(w: number) => number} loss
 * @param {Point} domain
 * @param {number} points
 * @returns {Point[]}
 */
export function sampleCurve(loss, domain, points) {
  return Array.from({ length: points }, (_, i) => {
    const w = domain[0] + ((domain[1] - domain[0]) * i) / (points - 1);
    return [w, loss(w)];
  });
}

export function lossCurvePanel() {
  if (!run.open) {
    surfaceOnlyPanel();
    return;
  }
  const several = run.weights[0].length > 1;
  const root = createScreen(
    "hill",
    "The hill",
    [
      `The loss over one weight${several ? ", all others held at their values of this step" : ""}.`,
      run.plain
        ? "Descent looks at the slope under its feet and steps downhill:"
        : "The slope says which way is down. This run's optimiser decides how far to go,",
      run.plain
        ? "new weight = old weight − learning rate · slope."
        : "and with batches it sees other rows at each step.",
    ].join(" "),
  );
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", { id: "hill-words" });
  const sentence = el("div", { class: "formula" });
  const picker = several ? weightPicker() : null;
  if (picker) root.append(picker.node);
  const figure = el("figure", {}, host, caption);
  const side = run.surface ? el("figure", {}) : el("div", { class: "side" });
  createPair(root, figure, side);
  const units = layers.reduce((sum, layer) => sum + layer.outputs, 0);
  const points = Math.max(13, Math.min(61, Math.round(1.2e6 / (count * units)))); // as time allows
  /** @type {{ index: number, loss: (w: number) => number, curve: Point[] } | null} */
  let shown = null; // the slice that the axes were made for
  let height = 1;
  /** @type {number | null} */
  let shownWeight = null;

  const chart = new Chart(host, {
    x: { domain: [0, 1], name: "" },
    y: { domain: [0, 1], name: "loss" },
    ratio: 0.72,
    moving: paint,
    label: () => caption.textContent,
  });

  // Fit the x axis to the selected weight; it stays while the steps go by.
  function fitWeight() {
    if (shownWeight === weightNow()) return;
    shownWeight = weightNow();
    const { middle, reach } = weightWindow(weightNow());
    /** @type {Point} */
    const domain = [middle - reach, middle + reach];
    const heights = [0, Math.floor(bestFrame / 2), bestFrame].map((k) => {
      const [low, high] = extent(
        sampleCurve(lossOverWeight(run.weights[k], weightNow()), domain, 15).map((p) => p[1]),
      );
      return high - low;
    });
    height = Math.max(...heights);
    chart.options.x = { domain, name: axisName(weightNow()) };
  }

  // Fit the y axis to the curve, which sinks as the other weights learn.
  function fitHeight() {
    const domain = chart.options.x.domain;
    const loss = lossOverWeight(weightsNow(), weightNow());
    const curve = sampleCurve(loss, domain, points);
    shown = { index: weightNow(), loss, curve };
    const w = weightsNow()[weightNow()];
    const here = w < domain[0] || w > domain[1] ? [] : [loss(w)];
    const [low, high] = extent([...curve.map((p) => p[1]), ...here]);
    const tall = Math.max(high - low, 0.05 * height);
    chart.options.y = { domain: [low - 0.12 * tall, low + 1.08 * tall], name: "loss" };
    if (chart.edges) chart.layout();
  }

  /**
   * Paint the curve, the tangent at the weight, and the next step.
   * @param {Chart} c
   */
  function paint(c) {
    if (!shown) return;
    const { index, loss, curve } = shown;
    const [w, g] = [weightsNow()[index], gradientsNow()[index]];
    const here = loss(w);
    const [left, right] = c.options.x.domain;
    const span = 0.22 * (right - left);
    const kind = g > 0 ? "up" : "down";
    c.clipped(c.path(curve, { class: "truth hill" }));
    const tangent = [w - span, w + span].map((a) => [a, here + g * (a - w)]);
    c.clipped(c.path(tangent, { class: `tangent ${kind}` }));
    const next = nextWeights();
    if (next) {
      const landing = next[index];
      const [x, low] = [c.x(landing), c.y(loss(landing))];
      c.clipped(draw("line", { x1: x, x2: x, y1: c.y(here), y2: low, class: "drop" }));
      c.clipped(c.arrow(w, here, landing, here, { class: "arrow step" }) || "");
      c.clipped(c.dot(landing, loss(landing), 5, { class: "landing" }));
    }
    const middle = { class: `${kind}-text`, "text-anchor": "middle" };
    const top = c.options.y.domain[1];
    c.put(c.note((left + right) / 2, top, `slope ${formatNumber(g)}`, middle, 0, 22));
    markNudge(c, loss, w, g);
    markVisited(c);
    c.clipped(c.dot(w, here, 6.5, { class: "now" }));
  }

  /**
   * Paint the way to the next frame: the arrow fades while the point runs down the same curve.
   * @param {Chart} c
   * @param {number} w
   * @param {number} eased
   */
  function paintBetween(c, w, eased) {
    if (!shown) return;
    const { index, loss, curve } = shown;
    const [start, goal] = [state.frame, state.frame + 1].map((k) => run.weights[k][index]);
    const level = loss(start);
    const fading = { class: "arrow step", opacity: 1 - eased };
    c.clipped(c.path(curve, { class: "truth hill" }));
    c.clipped(c.arrow(start, level, goal, level, fading) || "");
    c.clipped(c.dot(goal, loss(goal), 5, { class: "landing" }));
    markVisited(c);
    c.clipped(c.dot(w, loss(w), 6.5, { class: "now" }));
  }

  /**
   * Mark the weight's earlier values on the axis.
   * @param {Chart} c
   */
  function markVisited(c) {
    const index = weightNow();
    const [left, right] = c.options.x.domain;
    for (const k of run.steps.keys()) {
      if (k > state.frame) break;
      const past = run.weights[k][index];
      if (past < left || past > right) continue;
      c.put(
        draw("line", {
          x1: c.x(past),
          x2: c.x(past),
          y1: c.box.bottom - 9,
          y2: c.box.bottom,
          class: "trace",
        }),
      );
    }
  }

  /**
   * Mark where a nudge leads, on the curve and on the tangent.
   * @param {Chart} c
   * @param {(w: number) => number} loss
   * @param {number} before
   * @param {number} g
   */
  function markNudge(c, loss, before, g) {
    if (!state.nudge) return;
    const delta = nudgeSize();
    const w = before + delta;
    const [left, right] = c.options.x.domain;
    if (w < left || w > right) return;
    const [promise, seen] = [loss(before) + g * delta, loss(w)];
    c.clipped(
      c.dot(w, promise, 4.5, { class: `promised ${g > 0 ? "up" : "down"}` }),
      c.dot(w, seen, 4.5, { class: "seen" }),
    );
    const apart = Math.abs(c.y(promise) - c.y(seen)) > 14 ? 5 : promise > seen ? -12 : 18;
    c.put(
      c.note(w, promise, "promised", { class: "tick" }, 8, apart),
      c.note(w, seen, "seen", { class: "tick" }, 8, apart === 5 ? 5 : apart > 0 ? -8 : 20),
    );
  }

  panels.push({
    update() {
      fitWeight();
      if (picker) picker.update();
      caption.replaceChildren(...stepSentence());
      sentence.replaceChildren(stepFormula());
      fitHeight();
    },
    /**
     * @param {number[]} weights
     * @param {number} eased
     */
    glide(weights, eased) {
      chart.clear();
      paintBetween(chart, weights[weightNow()], eased);
    },
  });
  if (run.surface) drawSurface(side);
  root.append(sentence);
}

/** @param {number} index */
function axisName(index) {
  const { layer, from, to } = locateWeight(index);
  if (isLine) {
    const scaled = from >= 0 && data.x_scale[from] !== 1;
    return `${weightName(index)}${scaled ? `, per standard deviation of ${columnName(data.x_names[from], 20)}` : ""}`;
  }
  const source =
    from < 0 ? "bias" : layer === 0 ? columnName(data.x_names[from], 16) : `unit ${from + 1}`;
  const target = layer === layers.length - 1 ? outputName(to) : `unit ${to + 1}`;
  return `weight ${source} → ${target}, layer ${layer + 1}`;
}

export const nudgeSize = () => state.nudge * weightWindow(weightNow()).reach;

// Return the step in words: the sign of the slope, and which way the weight moves.
function stepSentence() {
  const index = weightNow();
  const g = gradientsNow()[index];
  const next = nextWeights();
  const name = isLine && features === 1 ? weightName(index) : "the weight";
  const { middle, reach } = weightWindow(index);
  const away =
    Math.abs(weightsNow()[index] - middle) > reach
      ? ` It is now ${formatNumber(weightsNow()[index])}, far outside this picture.`
      : "";
  if (!run.run.steps) return ["The slope is ", signedText(g), ": no step has been taken."];
  if (!g) return [`The slope is 0: the hill is flat here, so ${name} stays.`];
  const sign = g > 0 ? "positive" : "negative";
  const way = g > 0 ? "left" : "right";
  if (!next) {
    const level = Math.abs(g) < 1e-5 ? "almost flat" : `${sign}, so down is to the ${way}`;
    const end = state.frame === lastFrame ? "; the last step has been taken." : ".";
    return ["The slope is ", signedText(g), `: ${level}${end}`];
  }
  const moved = next[index] - weightsNow()[index];
  if (run.plain) {
    return [
      "The slope is ",
      signedText(g),
      `: ${sign}, so ${name} moves ${way} by ${formatNumber(Math.abs(moved), 3)}.${away}`,
    ];
  }
  const went = moved > 0 ? "right" : "left";
  const agrees =
    went === way
      ? "in the direction of descent."
      : "against this slope: it follows other rows, or momentum.";
  return [
    "The slope is ",
    signedText(g),
    `: ${sign}, so down is to the ${way}. The optimiser moves ${name} ${went} by ${formatNumber(Math.abs(moved), 3)}, ${agrees}`,
  ];
}

function stepFormula() {
  const index = weightNow();
  const [w, g] = [weightsNow()[index], gradientsNow()[index]];
  const rate = run.rates[state.frame];
  if (!run.plain || !nextWeights()) return "";
  const symbol = () => weightSymbol(index);
  const simple = isLine && features === 1;
  return m.block(
    m.row(
      simple ? m.sub(symbol(), m.text("new")) : m.text("new"),
      m.o("="),
      simple ? symbol() : m.text("old"),
      m.o("−"),
      m.text("rate"),
      m.o("·"),
      slope(m.i("L"), symbol()),
    ),
    m.row(m.infix("="), m.n(w), m.o("−"), m.n(rate), m.o("·"), inBrackets(g)),
    m.row(m.infix("="), m.n(w - rate * g)),
  );
}

// Create lists that select a weight: one for a line; layer and units for a network.
export function weightPicker() {
  const node = el("div", { class: "picker" });
  if (layers.length === 1 && isLine) {
    const { weight, bias } = layers[0];
    const all = Array.from({ length: features }, (_, i) => weight + i).concat(
      bias === null ? [] : [bias],
    );
    const select = createChoice(
      "Weight",
      all.slice(0, 200).map((i) => [String(i), weightName(i)]),
      (value) => setState({ weight: Number(value) }),
    );
    node.append(select.label);
    return { node, update: () => select.set(String(state.weight)) };
  }
  const labels = { layer: "Layer", from: "from", to: "to" };
  const parts = Object.entries(labels).map(([key, label]) =>
    createChoice(label, [], (value) => {
      const place = { ...locateWeight(state.weight), [key]: Number(value) };
      const layer = layers[place.layer];
      place.from = Math.min(place.from, layer.inputs - 1);
      place.to = Math.min(place.to, layer.outputs - 1);
      if (layer.bias === null) place.from = Math.max(0, place.from);
      setState({ weight: weightIndex(place) });
    }),
  );
  node.append(...parts.map((p) => p.label));
  let shownLayer = -1;
  return {
    node,
    update() {
      const place = locateWeight(state.weight);
      if (place.layer !== shownLayer) {
        shownLayer = place.layer;
        const layer = layers[place.layer];
        /** @param {number} i */
        const unit = (i) => (place.layer === 0 ? columnName(data.x_names[i], 22) : `unit ${i + 1}`);
        /** @param {number} j */
        const goal = (j) => (place.layer === layers.length - 1 ? outputName(j) : `unit ${j + 1}`);
        parts[0].fill(layers.map((_, l) => [String(l), String(l + 1)]));
        /** @type {[string, string][]} */
        const sources = Array.from({ length: layer.inputs }, (_, i) => [String(i), unit(i)]);
        if (layer.bias !== null) sources.push(["-1", "the bias"]);
        parts[1].fill(sources);
        parts[2].fill(Array.from({ length: layer.outputs }, (_, j) => [String(j), goal(j)]));
      }
      parts[0].set(String(place.layer));
      parts[1].set(String(place.from));
      parts[2].set(String(place.to));
    },
  };
}

/**
 * @param {string} name
 * @param {[string, string][]} options
 * @param {(value: string) => void} chosen
 */
function createChoice(name, options, chosen) {
  const select = el("select", {
    onchange: (/** @type {Event & { target: HTMLSelectElement }} */ event) =>
      chosen(event.target.value),
  });
  /** @param {[string, string][]} pairs */
  const fill = (pairs) =>
    select.replaceChildren(...pairs.map(([value, text]) => el("option", { value }, text)));
  fill(options);
  return {
    label: el("label", { class: "choice" }, el("span", {}, name), " ", select),
    fill,
    set(/** @type {string} */ value) {
      if (select.value !== value) select.value = value;
    },
  };
}
