// @ts-check
// The current frame and selection, shared by all panels and saved in the address.

import { count, layers, locateWeight, propagateRow } from "./model.js";
import { data, run } from "./run_data.js";

export const lastFrame = run.steps.length - 1;
/** @typedef {keyof typeof SPEEDS} Speed */
export const SPEEDS = { slow: 700, normal: 330, fast: 90 }; // milliseconds per frame
const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

export const state = {
  frame: 0, // index into run.steps
  row: firstRow(), // the selected row of the data
  hovered: /** @type {number | null} */ (null), // the row under the pointer
  weight: run.chosen, // the selected weight: an index into the flat parameters
  pointed: /** @type {number | null} */ (null), // the weight under the pointer
  nudge: layers.length > 1 ? 0.3 : 0, // its change, as a share of the window
  speed: /** @type {Speed} */ ("normal"),
  playing: false,
};

/** @type {Panel[]} */
export const panels = [];

// Return a row, from a third of the data on, on which the selected weight has a gradient.
function firstRow() {
  const start = Math.floor(count / 3);
  if (!run.open) return start;
  const { layer, from, to } = locateWeight(run.chosen);
  for (let k = 0; k < Math.min(count, 200); k++) {
    const row = (start + k) % count;
    const stage = propagateRow(run.weights[0], row).stages[layer];
    if (stage.dBefore[to] * (from < 0 ? 1 : stage.input[from])) return row;
  }
  return start;
}

export const stepNow = () => run.steps[state.frame];
export const weightsNow = () => run.weights[state.frame];
export const gradientsNow = () => run.gradients[state.frame];
export const lossNow = () => run.full[state.frame];
export const rowNow = () => (state.hovered === null ? state.row : state.hovered);
export const weightNow = () => (state.pointed === null ? state.weight : state.pointed);

// Return the weights after the next update: recorded by the run, or computed by its rule.
export function nextWeights() {
  const kept = run.next && run.next[state.frame];
  if (kept && kept.every((w) => w !== null)) return kept;
  if (state.frame < lastFrame && run.steps[state.frame + 1] === stepNow() + 1) {
    return run.weights[state.frame + 1];
  }
  if (state.frame === lastFrame || !run.plain) return null;
  const rate = run.rates[state.frame];
  return weightsNow().map((w, i) => w - rate * gradientsNow()[i]);
}

// Update all panels.
export function updatePanels() {
  for (const panel of panels) panel.update();
  reserveHeights();
}

/**
 * Change the state, update the panels, and save it in the address.
 * @param {Partial<typeof state>} news
 */
export function setState(news) {
  Object.assign(state, news);
  updatePanels();
  saveAddress();
}

/**
 * Highlight the row under the pointer, or none.
 * @param {number | null} row
 */
export function hoverRow(row) {
  if (row !== state.hovered) setState({ hovered: row });
}

// These elements keep their greatest height, so that what is below doesn't jump.
const GROWING = "figcaption, .formula, .followed, .factors, .product, .side > div";

function reserveHeights() {
  /** @type {NodeListOf<HTMLElement>} */
  const nodes = document.querySelectorAll(GROWING);
  const heights = Array.from(nodes, (node) => node.offsetHeight);
  nodes.forEach((node, i) => {
    if (heights[i] > (parseFloat(node.style.minHeight) || 0)) {
      node.style.minHeight = `${heights[i]}px`;
    }
  });
}

export function releaseHeights() {
  /** @type {NodeListOf<HTMLElement>} */
  const nodes = document.querySelectorAll(GROWING);
  nodes.forEach((node) => {
    node.style.minHeight = "";
  });
}

let animationRequest = 0; // the next frame of a glide
/** @type {number | null} */
let glideTarget = null; // and where it leads

/**
 * Go to a frame; to the next one the model can glide, unless motion is unwanted.
 * @param {number} place
 * @param {boolean} [glide]
 */
export function goToFrame(place, glide = false) {
  const target = Math.max(0, Math.min(lastFrame, place));
  cancelAnimationFrame(animationRequest);
  if (glideTarget !== null) state.frame = glideTarget; // what was begun is done
  glideTarget = null;
  const before = state.frame;
  const near = glide && run.open && target === before + 1 && !reducedMotion.matches;
  if (!near) {
    setState({ frame: target });
    return;
  }
  glideTarget = target;
  const [from, to] = [run.weights[before], run.weights[target]];
  const began = performance.now();
  const length = Math.min(260, 0.7 * SPEEDS[state.speed]);
  /** @param {number} now */
  const paintFrame = (now) => {
    const share = Math.max(0, Math.min(1, (now - began) / length));
    if (share >= 1) {
      glideTarget = null;
      setState({ frame: target });
      return;
    }
    const eased = share * share * (3 - 2 * share);
    const between = from.map((w, i) => w + eased * (to[i] - w));
    for (const panel of panels) if (panel.glide) panel.glide(between, eased);
    animationRequest = requestAnimationFrame(paintFrame);
  };
  animationRequest = requestAnimationFrame(paintFrame);
}

/**
 * Go forward by that many frames, or back.
 * @param {number} by
 * @param {boolean} [glide]
 */
export function advance(by, glide) {
  goToFrame((glideTarget === null ? state.frame : glideTarget) + by, glide);
}

// ---- the address

let lastSaved = 0; // when the address was written last
let saveTimer = 0;

// Wait at least 250 ms between writes: browsers limit how often an address changes.
function saveAddress() {
  if (saveTimer) return;
  const wait = lastSaved + 250 - performance.now();
  if (wait > 0) saveTimer = setTimeout(writeAddress, wait);
  else writeAddress();
}

function writeAddress() {
  saveTimer = 0;
  lastSaved = performance.now();
  const parameters = [`step=${stepNow()}`];
  if (count) parameters.push(`row=${data.row_numbers[state.row]}`);
  if (run.open) parameters.push(`weight=${state.weight}`);
  if (layers.length > 1) parameters.push(`nudge=${state.nudge}`);
  if (state.speed !== "normal") parameters.push(`speed=${state.speed}`);
  try {
    history.replaceState(null, "", `#${parameters.join("&")}`);
  } catch {
    // an iframe without an address of its own
  }
}

// Read the state from the address; ignore what is invalid.
export function readAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  /** @param {string} name */
  const number = (name) => (parameters.get(name) === null ? NaN : Number(parameters.get(name)));
  const step = number("step");
  if (Number.isFinite(step)) {
    const gaps = run.steps.map((s) => Math.abs(s - step));
    state.frame = gaps.indexOf(Math.min(...gaps));
  }
  const row = count ? data.row_numbers.indexOf(number("row")) : -1;
  if (row >= 0) state.row = row;
  const weight = number("weight");
  if (run.open && Number.isInteger(weight) && weight >= 0 && weight < run.weights[0].length) {
    state.weight = weight;
  }
  const nudge = number("nudge");
  if (layers.length > 1 && Math.abs(nudge) <= 1) state.nudge = nudge;
  const speed = parameters.get("speed") ?? "";
  if (speed in SPEEDS) state.speed = /** @type {Speed} */ (speed);
}
