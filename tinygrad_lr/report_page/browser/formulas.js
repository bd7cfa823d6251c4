// @ts-check
// Formulas of the model: its weights, its layers, and their derivatives.

import { yHat, layerSymbol, m, part, signedTerm } from "./elements.js";
import { features, layers, isLine, locateWeight } from "./model.js";
import { data, run } from "./run_data.js";
import { weightsNow } from "./state.js";

export const isScaled = () => data.x_scale.some((s) => s !== 1) || data.x_mean.some((x) => x !== 0);

/**
 * Return the symbol of a weight: w, b, w₂, or w⁽¹⁾ with the units it connects.
 * @param {number} index
 * @returns {Element}
 */
export function weightSymbol(index) {
  const { layer, from, to } = locateWeight(index);
  if (isLine && from < 0) return m.i("b");
  if (isLine && features === 1) return m.i("w");
  if (isLine) return m.sub(m.i("w"), part("mn")(from + 1));
  const joined =
    from < 0 ? part("mn")(to + 1) : m.row(part("mn")(from + 1), m.o("→"), part("mn")(to + 1));
  return m.both(
    m.i(from < 0 ? "b" : "w"),
    joined,
    m.row(m.o("("), part("mn")(layer + 1), m.o(")")),
  );
}

/**
 * @param {number} l
 * @param {(Element | null)} [name]
 * @returns {Element}
 */
export function layerFormula(l, name) {
  const layer = layers[l];
  const input = l === 0 ? m.i("x") : layerSymbol("h", l);
  const affine = [
    input,
    layerSymbol("W", l + 1),
    ...(layer.bias === null ? [] : [m.o("+"), layerSymbol("b", l + 1)]),
  ];
  const body = layer.function
    ? [m.i(layer.function.replace("_", " ")), m.o("("), ...affine, m.o(")")]
    : affine;
  return m.row(name || layerSymbol("h", l + 1), m.o("="), ...body);
}

/**
 * Return the local derivative of a layer: its weights times the slope of its function.
 * @param {number} l
 */
export function localDerivative(l) {
  const bend = layers[l].function ? [m.sup(m.i("f"), m.o("′")), m.o("·")] : [];
  return m.row(...bend, layerSymbol("W", l + 1));
}

/**
 * Return the slopes and intercept of a line in the units of the data.
 * @param {number[]} weights
 */
export function lineInOwnUnits(weights) {
  const { weight, bias } = layers[0];
  let intercept = bias === null ? 0 : weights[bias] * data.y_scale;
  const slopes = [];
  for (let i = 0; i < features; i++) {
    slopes.push((weights[weight + i] * data.y_scale) / data.x_scale[i]);
    intercept -= slopes[i] * data.x_mean[i];
  }
  return { slopes, intercept: intercept + data.y_mean };
}

// Return the formula of the model; of a line with the numbers of this frame.
export function modelFormula() {
  if (isLine) {
    const { slopes, intercept } = lineInOwnUnits(weightsNow());
    const most = features > 4 ? 3 : features;
    const rows = [];
    for (let i = 0; i < most; i++) {
      const x = features === 1 ? m.i("x") : m.sub(m.i("x"), part("mn")(i + 1));
      const factor = i === 0 ? [yHat(), m.o("="), m.n(slopes[0])] : signedTerm(slopes[i]);
      rows.push(m.row(...factor, m.o("·"), x));
    }
    if (most < features) rows.push(m.row(m.o("+"), m.o("…")));
    return m.block(...rows, m.row(...signedTerm(intercept)));
  }
  return layers.map((_, l) => {
    const end = l === layers.length - 1;
    return m.block(layerFormula(l, end ? (run.task === "classes" ? m.i("z") : yHat()) : null));
  });
}
