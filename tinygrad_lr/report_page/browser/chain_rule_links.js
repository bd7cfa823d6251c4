// @ts-check
// The links of the chain rule for one row, each with its formula and its numbers.

import { el, yHat, layerSymbol, m, part, partial, signedText, slope } from "./elements.js";
import { countNoun, formatNumber } from "./format.js";
import { localDerivative, isScaled, layerFormula } from "./formulas.js";
import { features, layers, isLine } from "./model.js";
import { data, run } from "./run_data.js";
import { lossNow, weightsNow } from "./state.js";

/**
 * Return the length of a vector.
 * @param {Numbers} v
 */
export const norm = (v) => Math.sqrt(Array.from(v).reduce((sum, a) => sum + a * a, 0));

/**
 * Show a gradient: a number itself, a vector by its length.
 * @param {Numbers} v
 */
const sizeText = (v) =>
  v.length === 1
    ? signedText(v[0], 4)
    : el("span", { class: "number" }, `size ${formatNumber(norm(v), 3)}`);

/**
 * Return the first numbers as text.
 * @param {Numbers} values
 * @param {number} [most]
 */
export function listNumbers(values, most = 12) {
  const shown = Array.from(values)
    .slice(0, most)
    .map((v) => formatNumber(v, 4))
    .join(",  ");
  return values.length > most ? `${shown}, … (${values.length} in all)` : shown;
}

/**
 * Return the chain from the inputs to the loss.
 * @param {Trace} trace
 * @param {number} r
 * @returns {ChainLink[]}
 */
export function chainLinks(trace, r) {
  const rows = run.rows_used;
  /** @type {ChainLink[]} */
  const nodes = [];
  /** @param {number} n */
  const unit = (n) => (n === 1 ? "a number for each row" : `${n} numbers for each row`);
  const first = trace.stages[0].layer;
  const end = trace.stages[trace.stages.length - 1];
  if (isLine) {
    const { weight, bias } = first;
    const w = weightsNow();
    const one = features === 1;
    nodes.push({
      said: bias === null ? "w" : "w and b",
      by: () => m.i("w"),
      symbol: () => m.row(m.i("w"), ...(bias === null ? [] : [m.o(","), m.i("b")])),
      value: one
        ? `${formatNumber(w[weight])}${bias === null ? "" : `,  ${formatNumber(w[bias])}`}`
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
      values: listNumbers(
        Array.from({ length: features }, (_, i) => w[weight + i]).concat(
          bias === null ? [] : [w[bias]],
        ),
      ),
      local: () => m.row(partial(yHat(), m.i("w")), m.o("="), isScaled() ? m.i("z") : m.i("x")),
      localValue: one ? formatNumber(trace.input[0]) : `${features} numbers`,
      back: null,
      gathered: one
        ? signedText(end.dBefore[0] * trace.input[0], 4)
        : sizeText(trace.input.map((x) => x * end.dBefore[0])),
    });
  } else {
    nodes.push({
      said: "the inputs x",
      symbol: () => m.i("x"),
      value: features === 1 ? formatNumber(trace.input[0]) : countNoun(features, "number"),
      formula: () =>
        isScaled()
          ? m.row(m.i("x"), m.text("\u00a0standardised"))
          : m.row(m.i("x"), m.text("\u00a0as given")),
      shape: unit(features),
      values: listNumbers(trace.input),
      back: listNumbers(trace.dInput),
      local: () => localDerivative(0),
      localValue: growthText(trace.dInput, trace.stages[0].dAfter),
      gathered: sizeText(trace.dInput),
    });
    trace.stages.slice(0, -1).forEach((stage, l) =>
      nodes.push({
        said: `layer ${l + 1}`,
        symbol: () => layerSymbol("h", l + 1),
        value:
          stage.after.length === 1
            ? formatNumber(stage.after[0])
            : countNoun(stage.after.length, "unit"),
        formula: () => layerFormula(l),
        shape: unit(stage.after.length),
        values: listNumbers(stage.after),
        back: listNumbers(stage.dAfter),
        local: () => localDerivative(l + 1),
        localValue: growthText(stage.dAfter, trace.stages[l + 1].dAfter),
        gathered: sizeText(stage.dAfter),
      }),
    );
  }
  const output = trace.output;
  if (run.task === "classes") {
    nodes.push({
      said: "the logits z",
      symbol: () => m.i("z"),
      value: countNoun(output.length, "logit"),
      formula: () => layerFormula(layers.length - 1, m.i("z")),
      shape: unit(output.length),
      values: listNumbers(output),
      back: listNumbers(end.dAfter),
      gathered: sizeText(end.dAfter),
      local: () =>
        m.row(
          partial(m.i("L"), m.i("z")),
          m.o("="),
          m.frac(m.row(m.i("p"), m.o("−"), m.i("t")), m.i("N")),
        ),
      localValue: `size ${formatNumber(norm(end.dAfter), 3)}`,
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
    nodes.push(lossLink(logarithm, `−ln ${formatNumber(p)} = ${formatNumber(-Math.log(p))}`));
    return nodes;
  }
  const u = output[0] - data.y[r];
  nodes.push({
    said: "the prediction",
    symbol: yHat,
    value: formatNumber(output[0]),
    formula: () =>
      isLine
        ? m.row(
            yHat(),
            m.o("="),
            m.i("w"),
            m.o("·"),
            isScaled() ? m.i("z") : m.i("x"),
            m.o("+"),
            m.i("b"),
          )
        : layerFormula(layers.length - 1, yHat()),
    shape: unit(1),
    values: formatNumber(output[0], 7),
    back: formatNumber(end.dAfter[0], 5),
    gathered: sizeText(end.dAfter),
    local: () => m.row(partial(m.i("u"), yHat()), m.o("="), part("mn")("1")),
    localValue: "1",
  });
  nodes.push({
    said: "the residual u",
    symbol: () => m.i("u"),
    value: formatNumber(u),
    formula: () => m.row(m.i("u"), m.o("="), yHat(), m.o("−"), m.i("y")),
    shape: unit(1),
    values: `${formatNumber(output[0], 6)} − ${formatNumber(data.y[r], 6)} = ${formatNumber(u, 6)}`,
    back: formatNumber(end.dAfter[0], 5),
    gathered: sizeText(end.dAfter),
    local: () =>
      m.row(
        partial(m.i("L"), m.i("u")),
        m.o("="),
        m.frac(m.row(part("mn")("2"), m.i("u")), m.i("N")),
      ),
    localValue: formatNumber((2 * u) / rows),
  });
  const square = [m.frac(part("mn")("1"), m.i("N")), m.o("∑"), m.sup(m.i("u"), part("mn")("2"))];
  nodes.push(lossLink(square, `u² = ${formatNumber(u * u)}`));
  return nodes;
}

/**
 * Return the end of the chain: the mean over all rows, and this row's share.
 * @param {Element[]} mean
 * @param {string} share
 * @returns {ChainLink}
 */
function lossLink(mean, share) {
  return {
    said: "the loss",
    symbol: () => m.i("L"),
    value: formatNumber(lossNow()),
    formula: () => m.row(m.i("L"), m.o("="), ...mean),
    shape: "one number",
    values: `this row: ${share}; mean of ${countNoun(run.rows_used, "row")}: ${formatNumber(lossNow())}`,
    back: "1",
    gathered: "1",
  };
}

/**
 * Return the factor by which the gradient grows or shrinks through a layer.
 * @param {Numbers} before
 * @param {Numbers} after
 */
function growthText(before, after) {
  const size = norm(after);
  return size ? `× ${formatNumber(norm(before) / size, 3)}` : "× 0";
}
