// The run's data, and how its numbers are written.

const run = JSON.parse(document.getElementById("run").textContent);
const data = run.data;

// A number in so many significant digits, with a minus sign that is one: −0.6637, 1.24 × 10⁻⁵.
function short(x, digits = 4) {
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

// A number at a tick: a power of ten as such.
function tickText(x) {
  return short(x, 12).replace(/^1\u00a0×\u00a0/, "");
}

// A whole number with its thousands apart.
function whole(n) {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, n >= 10000 ? "\u2009" : "");
}

function counted(n, thing) {
  return `${whole(n)} ${thing}${n === 1 ? "" : "s"}`;
}

// A name as it is, shortened in the middle where a picture has no room for it.
function brief(name, longest = 28) {
  const text = String(name);
  if (text.length <= longest) return text;
  const half = Math.floor(longest / 2);
  return `${text.slice(0, half)}…${text.slice(text.length - half + 1)}`;
}

// A column's name without its meaning or unit, which stand in brackets behind it.
function plainName(name, longest = 28) {
  return brief(String(name).replace(/(.)\s+\([^()]*\)$/, "$1"), longest);
}

// The lowest and the highest of the finite numbers, a margin wider; never empty.
function extent(values, margin = 0) {
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
