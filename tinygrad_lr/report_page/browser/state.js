// The moment that is shown, and what is chosen: all panels share it, and the address keeps it.

const last = run.steps.length - 1;
const speeds = { slow: 700, normal: 330, fast: 90 }; // milliseconds a moment
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  place: 0, // which of run.steps
  row: tellingRow(), // which row of the file is followed
  hovered: null, // or pointed at, for the time
  weight: run.chosen, // which of the parameters, laid end to end
  pointed: null, // or pointed at, for the time
  nudge: layers.length > 1 ? 0.3 : 0, // its change, as a share of the picture's reach
  speed: "normal",
  playing: false,
};

const panels = [];

// A row on which the chosen weight has something to do at first: from a third of the way on.
function tellingRow() {
  const start = Math.floor(count / 3);
  if (!run.open) return start;
  const { layer, from, to } = placeOf(run.chosen);
  for (let k = 0; k < Math.min(count, 200); k++) {
    const row = (start + k) % count;
    const stage = traced(run.weights[0], row).stages[layer];
    if (stage.dBefore[to] * (from < 0 ? 1 : stage.input[from])) return row;
  }
  return start;
}

const stepNow = () => run.steps[state.place];
const weightsNow = () => run.weights[state.place];
const gradientsNow = () => run.gradients[state.place];
const lossNow = () => run.full[state.place];
const rowNow = () => (state.hovered === null ? state.row : state.hovered);
const weightNow = () => (state.pointed === null ? state.weight : state.pointed);

// Where the next update leads: what the run kept, else what the rule says.
function nextNow() {
  const kept = run.next && run.next[state.place];
  if (kept && kept.every((w) => w !== null)) return kept;
  if (state.place < last && run.steps[state.place + 1] === stepNow() + 1) {
    return run.weights[state.place + 1];
  }
  if (state.place === last || !run.plain) return null;
  const rate = run.rates[state.place];
  return weightsNow().map((w, i) => w - rate * gradientsNow()[i]);
}

// All panels show the present state.
function show() {
  for (const panel of panels) panel.update();
  keepRoom();
}

// Change the state, show it, and keep it in the address.
function change(news) {
  Object.assign(state, news);
  show();
  keep();
}

// Point at a row for the time; null points at none.
function point(row) {
  if (row !== state.hovered) change({ hovered: row });
}

// Text that a step makes shorter keeps its room, so that what is below does not jump.
const growing = "figcaption, .formula, .followed, .factors, .product, .side > div";

function keepRoom() {
  const nodes = [...document.querySelectorAll(growing)];
  const heights = nodes.map((node) => node.offsetHeight);
  nodes.forEach((node, i) => {
    if (heights[i] > (parseFloat(node.style.minHeight) || 0)) {
      node.style.minHeight = `${heights[i]}px`;
    }
  });
}

function giveRoomBack() {
  for (const node of document.querySelectorAll(growing)) node.style.minHeight = "";
}

let gliding = 0; // the next frame of a glide
let heading = null; // and where it leads

// Go to a moment; from one to the next the model glides there, if motion is wanted.
function go(place, glide = false) {
  const target = Math.max(0, Math.min(last, place));
  cancelAnimationFrame(gliding);
  if (heading !== null) state.place = heading; // what was begun is done
  heading = null;
  const before = state.place;
  const near = glide && run.open && target === before + 1 && !still.matches;
  if (!near) {
    change({ place: target });
    return;
  }
  heading = target;
  const [from, to] = [run.weights[before], run.weights[target]];
  const began = performance.now();
  const length = Math.min(260, 0.7 * speeds[state.speed]);
  const frame = (now) => {
    const share = Math.max(0, Math.min(1, (now - began) / length));
    if (share >= 1) {
      heading = null;
      change({ place: target });
      return;
    }
    const eased = share * share * (3 - 2 * share);
    const between = from.map((w, i) => w + eased * (to[i] - w));
    for (const panel of panels) if (panel.glide) panel.glide(between, eased);
    gliding = requestAnimationFrame(frame);
  };
  gliding = requestAnimationFrame(frame);
}

// So many moments on, or back.
function advance(by, glide) {
  go((heading === null ? state.place : heading) + by, glide);
}

// ---- the address

let kept = 0; // when the address was written last
let keeping = 0;

// Browsers refuse an address that changes many times a second, as while one plays or drags.
function keep() {
  if (keeping) return;
  const wait = kept + 250 - performance.now();
  if (wait > 0) keeping = setTimeout(write, wait);
  else write();
}

function write() {
  keeping = 0;
  kept = performance.now();
  const told = [`step=${stepNow()}`];
  if (count) told.push(`row=${data.row_numbers[state.row]}`);
  if (run.open) told.push(`weight=${state.weight}`);
  if (layers.length > 1) told.push(`nudge=${state.nudge}`);
  if (state.speed !== "normal") told.push(`speed=${state.speed}`);
  try {
    history.replaceState(null, "", `#${told.join("&")}`);
  } catch {
    // a frame without an address of its own
  }
}

// The state that the address tells; what it tells wrongly is left as it was.
function recall() {
  const told = new URLSearchParams(location.hash.slice(1));
  const number = (name) => (told.get(name) === null ? NaN : Number(told.get(name)));
  const step = number("step");
  if (Number.isFinite(step)) {
    const gaps = run.steps.map((s) => Math.abs(s - step));
    state.place = gaps.indexOf(Math.min(...gaps));
  }
  const row = count ? data.row_numbers.indexOf(number("row")) : -1;
  if (row >= 0) state.row = row;
  const weight = number("weight");
  if (run.open && Number.isInteger(weight) && weight >= 0 && weight < run.weights[0].length) {
    state.weight = weight;
  }
  const nudge = number("nudge");
  if (layers.length > 1 && Math.abs(nudge) <= 1) state.nudge = nudge;
  if (told.get("speed") in speeds) state.speed = told.get("speed");
}
