// The page: its screens, the control strip, the keys, and the first picture.

function controls() {
  const strip = document.getElementById("controls");
  const button = (name, symbol, action, id) =>
    el(
      "button",
      { type: "button", id, "aria-label": name, title: name, onclick: action },
      icon(symbol),
    );
  const play = button("Play", "play", () => toggle(), "play");
  const back = button("One step back", "back", () => stop(() => advance(-1)), "back");
  const forth = button("One step on", "forth", () => stop(() => advance(1, true)), "forth");
  const slider = el("input", {
    type: "range",
    min: 0,
    max: last,
    step: 1,
    id: "slider",
    "aria-label": "Step of the descent",
    oninput: (event) => stop(() => go(Number(event.target.value))),
  });
  const told = el("output", { id: "told", for: "slider" });
  const speed = el(
    "select",
    {
      id: "speed",
      "aria-label": "Speed",
      onchange: (event) => change({ speed: event.target.value }),
    },
    Object.keys(speeds).map((name) => el("option", { value: name }, name)),
  );
  strip.append(
    play,
    back,
    forth,
    slider,
    told,
    el("label", { class: "choice" }, el("span", { class: "wide-only" }, "Speed "), speed),
  );
  if (last < 1) for (const control of [play, back, forth, slider]) control.disabled = true;

  panels.push({
    update() {
      slider.value = state.place;
      slider.setAttribute(
        "aria-valuetext",
        `step ${stepNow()} of ${run.run.steps}, loss ${short(lossNow())}`,
      );
      told.setAttribute("aria-live", state.playing ? "off" : "polite");
      told.textContent = `step ${whole(stepNow())} of ${whole(run.run.steps)}`;
      play.replaceChildren(icon(state.playing ? "pause" : "play"));
      play.setAttribute("aria-label", state.playing ? "Pause" : "Play");
      play.title = state.playing ? "Pause" : "Play";
      if (last > 0) {
        back.disabled = state.place === 0;
        forth.disabled = state.place === last;
      }
      speed.value = state.speed;
      document.documentElement.dataset.step = stepNow();
    },
  });
}

// Signs of the controls, drawn so that every system shows the same.
function icon(name) {
  const shapes = {
    play: "M5 3L17 10L5 17Z",
    pause: "M5 3H8.5V17H5ZM11.5 3H15V17H11.5Z",
    back: "M13 3L5 10L13 17ZM3 3H5V17H3Z",
    forth: "M7 3L15 10L7 17ZM15 3H17V17H15Z",
  };
  return draw(
    "svg",
    { viewBox: "0 0 20 20", width: 20, height: 20, "aria-hidden": "true" },
    draw("path", { d: shapes[name], fill: "currentColor" }),
  );
}

let timer = 0;

function tick() {
  if (!state.playing) return;
  if (state.place >= last) {
    change({ playing: false });
    return;
  }
  advance(1, speeds[state.speed] > 150);
  timer = setTimeout(tick, speeds[state.speed]);
}

function toggle() {
  clearTimeout(timer);
  const playing = !state.playing;
  if (playing && state.place >= last) go(0);
  change({ playing });
  if (playing) timer = setTimeout(tick, speeds[state.speed]);
}

function stop(then) {
  clearTimeout(timer);
  state.playing = false;
  then();
}

// The keys of the strip, except where a field or a list has use for them itself.
function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const at = event.target;
  const typing =
    at.matches("select, textarea, input[type=number]") ||
    (at.matches("input[type=range]") && at.id !== "slider");
  const pressing = at.matches("button, summary") && event.key === " ";
  const scrolling =
    event.key.startsWith("Arrow") &&
    at.scrollWidth > at.clientWidth &&
    ["auto", "scroll"].includes(getComputedStyle(at).overflowX);
  if (typing || pressing || scrolling) return;
  const does = {
    " ": toggle,
    ArrowRight: () => stop(() => advance(1, true)),
    ArrowLeft: () => stop(() => advance(-1)),
    Home: () => stop(() => go(0)),
    End: () => stop(() => go(last)),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
}

function begin() {
  state.place = 0;
  recall();
  document
    .querySelector("header")
    .append(
      el("p", { class: "hint keys" }, "Space plays and pauses, ← and → step, Home and End jump."),
    );
  dataPanel();
  hillPanel();
  ratesPanel();
  chainPanel();
  networkPanel();
  depthPanel();
  runPanel();
  controls();
  show();
  document.addEventListener("keydown", keys);
  window.addEventListener("hashchange", () => {
    recall();
    show();
  });
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = state.place;
    stop(() => go(last));
    giveRoomBack();
  });
  let width = window.innerWidth; // the height of a phone's window changes with each scroll
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) giveRoomBack();
    width = window.innerWidth;
  });
  window.addEventListener("afterprint", () => {
    if (before !== null) go(before);
  });
}

begin();
