// @ts-check
// Numbers and names as text.

/**
 * Return a number to that many significant digits, with a true minus sign: −0.6637, 1.24 × 10⁻⁵.
 * @param {number | null | undefined} x
 * @param {number} [digits]
 */
export function formatNumber(x, digits = 4) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "not finite";
  if (x === 0) return "0";
  const size = Math.abs(x);
  let text;
  if (size >= 1e6 || size < 1e-4) {
    const [mantissa, power] = x.toExponential(Math.min(digits, 3) - 1).split("e");
    const raised = [...String(Number(power))].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
    text = `${Number(mantissa)}\u00a0×\u00a010${raised.join("")}`;
  } else {
    text = Number(x.toPrecision(digits)).toString();
  }
  return text.replace("-", "−");
}

/**
 * Return a number for a tick: 10⁻⁵ rather than 1 × 10⁻⁵.
 * @param {number} x
 */
export function formatTick(x) {
  return formatNumber(x, 12).replace(/^1\u00a0×\u00a0/, "");
}

/**
 * Return an integer with thin spaces between its thousands.
 * @param {number} n
 */
export function formatInteger(n) {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, n >= 10000 ? "\u2009" : "");
}

/**
 * @param {number} n
 * @param {string} thing
 */
export function countNoun(n, thing) {
  return `${formatInteger(n)} ${thing}${n === 1 ? "" : "s"}`;
}

/**
 * Return a name, shortened in the middle if it is too long.
 * @param {string} name
 * @param {number} [longest]
 */
export function shorten(name, longest = 28) {
  const text = String(name);
  if (text.length <= longest) return text;
  const half = Math.floor(longest / 2);
  return `${text.slice(0, half)}…${text.slice(text.length - half + 1)}`;
}

/**
 * Return a column's name without the meaning or unit in brackets at its end.
 * @param {string} name
 * @param {number} [longest]
 */
export function columnName(name, longest = 28) {
  return shorten(String(name).replace(/(.)\s+\([^()]*\)$/, "$1"), longest);
}

/**
 * Return the range of the finite numbers, widened by a margin; never empty.
 * @param {Iterable<number | null>} values
 * @param {number} [margin]
 * @returns {Point}
 */
export function extent(values, margin = 0) {
  let low = Infinity;
  let high = -Infinity;
  for (const v of values) {
    if (v === null || !Number.isFinite(v) || Math.abs(v) > 1e150) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  if (low > high) return [0, 1];
  if (high - low <= 1e-9 * Math.max(Math.abs(low), Math.abs(high))) {
    const room = 0.5 * Math.max(Math.abs(low), Math.abs(high)) || 1;
    return [low - room, high + room];
  }
  const room = margin * (high - low);
  return [low - room, high + room];
}
