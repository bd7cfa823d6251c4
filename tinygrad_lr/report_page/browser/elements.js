// @ts-check
// HTML, SVG and MathML elements; text is never parsed as markup.

import { formatNumber } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const MATH = "http://www.w3.org/1998/Math/MathML";

/**
 * @param {string | null} space
 * @param {string} tag
 * @param {Attributes | undefined} attributes
 * @param {Child[]} children
 * @returns {any}
 */
function createNode(space, tag, attributes, children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") {
      node.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of /** @type {any[]} */ (children).flat(Infinity)) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

/**
 * @param {string} tag
 * @param {Attributes} attributes
 * @param {...Child} children
 * @returns {any}
 */
export const el = (tag, attributes, ...children) => createNode(null, tag, attributes, children);
/**
 * @param {string} tag
 * @param {Attributes} attributes
 * @param {...Child} children
 * @returns {any}
 */
export const draw = (tag, attributes, ...children) => createNode(SVG, tag, attributes, children);

/**
 * Return a function that makes MathML elements: m.row(m.i("w"), m.o("="), m.n(0.5)).
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @returns {(...children: Child[]) => Element}
 */
export const part =
  (tag, attributes) =>
  (...children) =>
    createNode(MATH, tag, attributes, children);

export const m = {
  math: part("math", { displaystyle: "true" }),
  block: (/** @type {Element[]} */ ...lines) =>
    el(
      "div",
      {},
      lines.map((line) => m.math(line)),
    ), // broken where there is no room
  row: part("mrow"),
  i: part("mi"),
  o: part("mo"),
  infix: part("mo", { form: "infix" }), // where a line begins with it
  frac: part("mfrac"),
  sub: part("msub"),
  sup: part("msup"),
  both: part("msubsup"),
  text: part("mtext"),
  n: (/** @type {number} */ x, digits = 4) => numberSymbol(x, digits),
};

/**
 * Return a number as MathML, with its power of ten.
 * @param {number} x
 * @param {number} digits
 * @returns {Element}
 */
function numberSymbol(x, digits) {
  const text = formatNumber(x, digits);
  const power = text.match(/^(−?)([\d.]+)\u00a0×\u00a010([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)$/);
  if (power) {
    const exponent = [...power[3]].map((c) => "−0123456789"["⁻⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c)]).join("");
    const ten = m.sup(part("mn")("10"), part("mn")(exponent));
    return m.row(power[1] ? m.o("−") : null, part("mn")(power[2]), m.o("×"), ten);
  }
  const sign = text.startsWith("−") ? m.o("−") : null;
  return m.row(sign, part("mn")(text.replace("−", "")));
}

/**
 * @param {number} x
 * @param {number} [digits]
 */
export const inBrackets = (x, digits) =>
  x < 0 ? m.row(m.o("("), m.n(x, digits), m.o(")")) : m.n(x, digits);

/**
 * "+ 0.3" or "− 0.3".
 * @param {number} x
 * @param {number} [digits]
 */
export const signedTerm = (x, digits) => [m.infix(x < 0 ? "−" : "+"), m.n(Math.abs(x), digits)];

export const yHat = () => createNode(MATH, "mover", { accent: "true" }, [m.i("y"), m.o("^")]);
/**
 * d/d: along all paths.
 * @param {Element} of
 * @param {Element} by
 */
export const slope = (of, by) => m.frac(m.row(m.i("d"), of), m.row(m.i("d"), by));
/**
 * ∂/∂: of one formula alone, all else in it held fixed.
 * @param {Element} of
 * @param {Element} by
 */
export const partial = (of, by) => m.frac(m.row(m.o("∂"), of), m.row(m.o("∂"), by));

/**
 * h⁽ˡ⁾, or h⁽ˡ⁾ᵢ of one unit.
 * @param {string} letter
 * @param {Child} layer
 * @param {number | null} [unit]
 */
export function layerSymbol(letter, layer, unit = null) {
  const raised = m.row(m.o("("), part("mn")(layer), m.o(")"));
  return unit === null ? m.sup(m.i(letter), raised) : m.both(m.i(letter), part("mn")(unit), raised);
}

/**
 * Return a number coloured by its sign, as gradients are.
 * @param {number} x
 * @param {number} [digits]
 * @returns {Element}
 */
export function signedText(x, digits = 4) {
  const kind = x > 0 ? "up" : x < 0 ? "down" : "level";
  return el("span", { class: `number ${kind}` }, formatNumber(x, digits));
}
