// @ts-check
// The page: its screens, the control strip, the keys, and the first picture.

import { chainRulePanel } from "./chain_rule_panel.js";
import { classesPanel } from "./classes_panel.js";
import { dataPanel } from "./data_panel.js";
import { draw, el } from "./elements.js";
import { formatNumber, formatInteger } from "./format.js";
import { gradientFlowPanel } from "./gradient_flow_panel.js";
import { learningRatesPanel } from "./learning_rates_panel.js";
import { lossCurvePanel } from "./loss_curve_panel.js";
import { networkPanel } from "./network_panel.js";
import { run } from "./run_data.js";
import { runPanel } from "./run_panel.js";
import {
  advance,
  setState,
  releaseHeights,
  goToFrame,
  lastFrame,
  lossNow,
  panels,
  readAddress,
  updatePanels,
  SPEEDS,
  state,
  stepNow,
} from "./state.js";

/** @typedef {keyof typeof ICONS} IconName */
const ICONS = {
  play: "M5 3L17 10L5 17Z",
  pause: "M5 3H8.5V17H5ZM11.5 3H15V17H11.5Z",
  back: "M13 3L5 10L13 17ZM3 3H5V17H3Z",
  forth: "M7 3L15 10L7 17ZM15 3H17V17H15Z",
};

function createControls() {
  const strip = /** @type {HTMLElement} */ (document.getElementById("controls"));
  /**
   * @param {string} name
   * @param {IconName} symbol
   * @param {() => void} action
   * @param {string} id
   * @returns {HTMLButtonElement}
   */
  const button = (name, symbol, action, id) =>
    el(
      "button",
      { type: "button", id, "aria-label": name, title: name, onclick: action },
      createIcon(symbol),
    );
  const play = button("Play", "play", () => togglePlay(), "play");
  const back = button("One step back", "back", () => stopAndThen(() => advance(-1)), "back");
  const forth = button("One step on", "forth", () => stopAndThen(() => advance(1, true)), "forth");
  const slider = el("input", {
    type: "range",
    min: 0,
    max: lastFrame,
    step: 1,
    id: "slider",
    "aria-label": "Step of the descent",
    oninput: (/** @type {Event & { target: HTMLInputElement }} */ event) =>
      stopAndThen(() => goToFrame(Number(event.target.value))),
  });
  const stepLabel = el("output", { id: "told", for: "slider" });
  const speed = el(
    "select",
    {
      id: "speed",
      "aria-label": "Speed",
      onchange: (/** @type {Event & { target: HTMLSelectElement }} */ event) =>
        setState({ speed: /** @type {import("./state.js").Speed} */ (event.target.value) }),
    },
    Object.keys(SPEEDS).map((name) => el("option", { value: name }, name)),
  );
  strip.append(
    play,
    back,
    forth,
    slider,
    stepLabel,
    el("label", { class: "choice" }, el("span", { class: "wide-only" }, "Speed "), speed),
  );
  if (lastFrame < 1) for (const control of [play, back, forth, slider]) control.disabled = true;

  panels.push({
    update() {
      slider.value = state.frame;
      slider.setAttribute(
        "aria-valuetext",
        `step ${stepNow()} of ${run.run.steps}, loss ${formatNumber(lossNow())}`,
      );
      stepLabel.setAttribute("aria-live", state.playing ? "off" : "polite");
      stepLabel.textContent = `step ${formatInteger(stepNow())} of ${formatInteger(run.run.steps)}`;
      play.replaceChildren(createIcon(state.playing ? "pause" : "play"));
      play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
      play.title = state.playing ? "Pause" : "Play";
      if (lastFrame > 0) {
        back.disabled = state.frame === 0;
        forth.disabled = state.frame === lastFrame;
      }
      speed.value = state.speed;
      document.documentElement.dataset.step = String(stepNow());
    },
  });
}

/**
 * Return the icon of a control, drawn so that it looks the same on every system.
 * @param {IconName} name
 */
function createIcon(name) {
  return draw(
    "svg",
    { viewBox: "0 0 20 20", width: 20, height: 20, "aria-hidden": "true" },
    draw("path", { d: ICONS[name], fill: "currentColor" }),
  );
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

function playNext() {
  if (!state.playing) return;
  if (state.frame >= lastFrame) {
    setState({ playing: false });
    return;
  }
  advance(1, SPEEDS[state.speed] > 150);
  timer = setTimeout(playNext, SPEEDS[state.speed]);
}

function togglePlay() {
  clearTimeout(timer);
  const playing = !state.playing;
  if (playing && state.frame >= lastFrame) goToFrame(0);
  setState({ playing });
  if (playing) timer = setTimeout(playNext, SPEEDS[state.speed]);
}

/** @param {() => void} then */
function stopAndThen(then) {
  clearTimeout(timer);
  state.playing = false;
  then();
}

/**
 * Handle the keys of the control strip, unless a field or a list needs them itself.
 * @param {KeyboardEvent} event
 */
function handleKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const target = /** @type {HTMLInputElement} */ (event.target);
  const typing =
    target.matches("select, textarea, input[type=number]") ||
    (target.matches("input[type=range]") && target.id !== "slider");
  const pressing = target.matches("button, summary") && event.key === " ";
  const scrolling =
    event.key.startsWith("Arrow") &&
    target.scrollWidth > target.clientWidth &&
    ["auto", "scroll"].includes(getComputedStyle(target).overflowX);
  if (typing || pressing || scrolling) return;
  const action = {
    " ": togglePlay,
    ArrowRight: () => stopAndThen(() => advance(1, true)),
    ArrowLeft: () => stopAndThen(() => advance(-1)),
    Home: () => stopAndThen(() => goToFrame(0)),
    End: () => stopAndThen(() => goToFrame(lastFrame)),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function start() {
  state.frame = 0;
  readAddress();
  document
    .querySelector("header")
    ?.append(
      el("p", { class: "hint keys" }, "Space plays and pauses, ← and → step, Home and End jump."),
    );
  dataPanel();
  classesPanel();
  lossCurvePanel();
  learningRatesPanel();
  chainRulePanel();
  networkPanel();
  gradientFlowPanel();
  runPanel();
  createControls();
  updatePanels();
  document.addEventListener("keydown", handleKey);
  window.addEventListener("hashchange", () => {
    readAddress();
    updatePanels();
  });
  /** @type {number | null} */
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = state.frame;
    stopAndThen(() => goToFrame(lastFrame));
    releaseHeights();
  });
  let width = window.innerWidth; // the height of a phone's window changes with each scroll
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) releaseHeights();
    width = window.innerWidth;
  });
  window.addEventListener("afterprint", () => {
    if (before !== null) goToFrame(before);
  });
}

start();
