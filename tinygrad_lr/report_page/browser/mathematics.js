// Elements, pictures and formulas, made one by one: text never becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const MATH = "http://www.w3.org/1998/Math/MathML";

function made(space, tag, attributes, children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const el = (tag, attributes, ...children) => made(null, tag, attributes, children);
const draw = (tag, attributes, ...children) => made(SVG, tag, attributes, children);

// Formulas: m.row(m.i("w"), m.o("="), m.n(0.5)) and the like.
const part =
  (tag, attributes) =>
  (...children) =>
    made(MATH, tag, attributes, children);
const m = {
  math: part("math", { displaystyle: "true" }),
  block: (...lines) =>
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
  n: (x, digits = 4) => written(x, digits),
};

// A number in a formula, in brackets where it would stand after another sign.
function written(x, digits) {
  const text = short(x, digits);
  const power = text.match(/^(−?)([\d.]+)\u00a0×\u00a010([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)$/);
  if (power) {
    const exponent = [...power[3]].map((c) => "−0123456789"["⁻⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c)]).join("");
    const ten = m.sup(part("mn")("10"), part("mn")(exponent));
    return m.row(power[1] ? m.o("−") : null, part("mn")(power[2]), m.o("×"), ten);
  }
  const sign = text.startsWith("−") ? m.o("−") : null;
  return m.row(sign, part("mn")(text.replace("−", "")));
}

const bracketed = (x, digits) =>
  x < 0 ? m.row(m.o("("), m.n(x, digits), m.o(")")) : m.n(x, digits);

// "+ 0.3" or "− 0.3".
const signed = (x, digits) => [m.infix(x < 0 ? "−" : "+"), m.n(Math.abs(x), digits)];

const hat = () => made(MATH, "mover", { accent: "true" }, [m.i("y"), m.o("^")]);
const slope = (of, by) => m.frac(m.row(m.i("d"), of), m.row(m.i("d"), by));
const partial = (of, by) => m.frac(m.row(m.o("∂"), of), m.row(m.o("∂"), by));

// h⁽ˡ⁾, or h⁽ˡ⁾ᵢ of one unit.
function layered(letter, layer, unit = null) {
  const raised = m.row(m.o("("), part("mn")(layer), m.o(")"));
  return unit === null ? m.sup(m.i(letter), raised) : m.both(m.i(letter), part("mn")(unit), raised);
}

// A number that is coloured by its sign, as a gradient is.
function signedText(x, digits = 4) {
  const kind = x > 0 ? "up" : x < 0 ? "down" : "level";
  return el("span", { class: `number ${kind}` }, short(x, digits));
}
