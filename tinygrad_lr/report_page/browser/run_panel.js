// @ts-check
// Screen 6: the run, with its losses, settings and data, and the command that repeats it.

import { Chart, createLegend, createPair, createScreen, createTable } from "./chart.js";
import { draw, el } from "./elements.js";
import { shorten, countNoun, extent, formatNumber, formatInteger } from "./format.js";
import { count } from "./model.js";
import { data, run } from "./run_data.js";
import { goToFrame, lossNow, panels, state, stepNow } from "./state.js";

export function runPanel() {
  const root = createScreen("run-screen", "The run", `It ${run.run.message}.`);
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", {});
  const side = el("div", { class: "side" });
  createPair(root, el("figure", {}, host, caption), side);
  const { steps, losses } = run.curve;
  const validation = run.evaluations
    .filter((e) => e.validation_loss !== undefined)
    .map((e) => [e.step, e.validation_loss]);
  const closed =
    run.closed_form && run.loss === "mse" ? run.closed_form.mse / data.y_scale ** 2 : null;
  const values = [
    ...losses,
    ...validation.map((v) => v[1]),
    ...(closed !== null && closed > 0 && run.line ? [closed] : []),
  ].filter((x) => x !== null && x > -Infinity);
  const [low, high] = extent(values);
  const log = low > 0 && high / low > 100;
  /** @type {Point} */
  const domain = log ? [low / 1.4, high * 1.4] : extent(values, 0.08);
  const end = Math.max(1, run.run.steps);
  const batches = run.losses.some(
    (l, i) => l !== null && Math.abs(l - run.full[i]) > 1e-3 * Math.abs(run.full[i]) + 1e-12,
  );
  const chart = new Chart(host, {
    x: { domain: [0, end], name: "step" },
    y: { domain, name: log ? "loss, by powers of ten" : "loss", log },
    ratio: 0.66,
    still(c) {
      if (closed !== null && closed >= domain[0] && closed <= domain[1]) {
        c.back.append(
          c.path(
            [
              [0, closed],
              [end, closed],
            ],
            { class: "truth" },
          ),
        );
        c.front.append(
          c.note(
            end,
            closed,
            `${run.line ? "closed form" : "best line"} ${formatNumber(closed)}`,
            { class: "truth-text", "text-anchor": "end" },
            0,
            -7,
          ),
        );
      }
      c.back.append(
        c.path(
          steps.map((s, i) => [s, losses[i]]),
          { class: batches ? "batches" : "model thin" },
        ),
      );
      if (batches)
        c.back.append(
          c.path(
            run.steps.map((s, i) => [s, run.full[i]]),
            { class: "model thin" },
          ),
        );
      if (losses.length < 2) c.back.append(c.dot(0, losses[0] ?? run.full[0], 4, { class: "now" }));
      if (validation.length) {
        c.back.append(c.path(validation, { class: "validation" }));
      }
      const best = run.run.best_step;
      if (best !== null) {
        c.back.append(
          draw("line", {
            x1: c.x(best),
            x2: c.x(best),
            y1: c.box.top,
            y2: c.box.bottom,
            class: "limit quiet",
          }),
        );
        c.front.append(
          c.note(
            best,
            domain[1],
            "best, and kept",
            { class: "tick", "text-anchor": "end" },
            -5,
            10,
          ),
        );
      }
    },
    moving(c) {
      const at = c.x(stepNow());
      c.put(draw("line", { x1: at, x2: at, y1: c.box.top, y2: c.box.bottom, class: "cursor" }));
      const here = run.losses[state.frame] ?? lossNow();
      if (here !== null) c.clipped(c.dot(stepNow(), here, 6.5, { class: "now" }));
    },
    label: () => caption.textContent,
  });
  /** @type {([string, string] | null)[]} */
  const kinds = [
    batches ? ["batches", run.same_rows ? "each batch" : "the run"] : null,
    batches || validation.length
      ? ["model thin", batches ? (run.same_rows ? "all rows" : "rows of this page") : "training"]
      : null,
    validation.length ? ["validation", "validation"] : null,
  ];
  const lines = kinds.filter((kind) => kind !== null);
  if (lines.length) host.before(createLegend(lines));
  host.addEventListener("click", (/** @type {MouseEvent} */ event) => {
    const step = chart.atX(event.clientX - chart.svg.getBoundingClientRect().left);
    const gaps = run.steps.map((s) => Math.abs(s - step));
    goToFrame(gaps.indexOf(Math.min(...gaps)));
  });
  /** @param {[string, string][]} pairs */
  const two = (pairs) => createTable(null, pairs, { class: "settings" });
  side.append(el("h3", {}, "Settings"), two(run.settings));
  if (run.run.warnings.length)
    side.append(
      el("h3", {}, "Warnings"),
      el(
        "ul",
        {},
        run.run.warnings.map((w) => el("li", {}, w)),
      ),
    );
  const columns = data.columns.map((c) => [
    shorten(c.name, 24),
    formatNumber(c.mean),
    formatNumber(c.deviation),
    formatNumber(c.low),
    formatNumber(c.high),
  ]);
  const more =
    data.features > 12
      ? el("p", { class: "hint" }, `The first 12 of ${formatInteger(data.features)} columns.`)
      : null;
  const below = el("div", { class: "pair" });
  root.append(below);
  if (columns.length) {
    below.append(
      el(
        "div",
        { class: "scroll" },
        el("h3", {}, `The data: ${countNoun(data.rows, "row")}`),
        createTable(["", "mean", "deviation", "lowest", "highest"], columns, { class: "numbers" }),
        more,
      ),
    );
  }
  below.append(
    el(
      "div",
      {},
      run.command
        ? [
            el("h3", {}, "Repeat this run"),
            el("pre", { tabindex: "0" }, el("code", {}, run.command)),
          ]
        : null,
      el("h3", {}, "Made with"),
      two(run.versions),
      el("p", { class: "hint" }, rowsSentence()),
    ),
  );
  panels.push({
    update() {
      const here = run.losses[state.frame];
      const batch =
        here !== null && Math.abs(here - lossNow()) > 1e-3 * Math.abs(lossNow()) + 1e-12
          ? ` (of its batch; ${formatNumber(lossNow())} on ${run.same_rows ? "all rows" : "the rows of this page"})`
          : "";
      const rate = run.rates[state.frame];
      caption.textContent = `Step ${stepNow()} of ${run.run.steps}: loss ${formatNumber(here ?? lossNow(), 6)}${batch}${rate === null ? "" : `, learning rate ${formatNumber(rate)}`}.`;
      chart.move();
    },
  });
}

// Return which rows and frames the page shows.
function rowsSentence() {
  const which = run.same_rows
    ? data.rows === 1
      ? "the one row"
      : `all ${formatInteger(data.rows)} rows`
    : `${formatInteger(run.rows_used)} of the ${formatInteger(data.rows)} rows, evenly spread`;
  const dropped = run.dropped
    ? ` ${countNoun(run.dropped, "recorded step")} with weights beyond 1e150 ${run.dropped === 1 ? "is" : "are"} left out.`
    : "";
  const kept =
    run.steps.length <= run.run.steps
      ? ` ${formatInteger(run.steps.length)} of ${formatInteger(run.run.steps + 1)} steps are shown, including all of the first ones.`
      : "";
  const drawn =
    count && count < run.rows_used
      ? ` The curve is drawn from ${formatInteger(count)} of them.`
      : "";
  return `Losses and slopes are computed on ${which}.${drawn}${kept}${dropped}`;
}
