// Screen 6: the run. Its losses, its settings, its data, and how to do it again.

function runPanel() {
  const root = screen("run-screen", "The run", `It ${run.run.message}.`);
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", {});
  const side = el("div", { class: "side" });
  pair(root, el("figure", {}, host, caption), side);
  const { steps, losses } = run.curve;
  const validation = run.evaluations
    .filter((e) => e.validation_loss !== undefined)
    .map((e) => [e.step, e.validation_loss]);
  const closed =
    run.closed_form && run.loss === "mse" ? run.closed_form.mse / data.y_scale ** 2 : null;
  const values = [
    ...losses,
    ...validation.map((v) => v[1]),
    ...(closed > 0 && run.line ? [closed] : []),
  ].filter((x) => x !== null && x > -Infinity);
  const [low, high] = extent(values);
  const log = low > 0 && high / low > 100;
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
            `${run.line ? "closed form" : "best line"} ${short(closed)}`,
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
      const here = run.losses[state.place] ?? lossNow();
      if (here !== null) c.clipped(c.dot(stepNow(), here, 6.5, { class: "now" }));
    },
    label: () => caption.textContent,
  });
  const lines = [
    batches ? ["batches", run.same_rows ? "each batch" : "the run"] : null,
    batches || validation.length
      ? ["model thin", batches ? (run.same_rows ? "all rows" : "rows of this page") : "training"]
      : null,
    validation.length ? ["validation", "validation"] : null,
  ].filter(Boolean);
  if (lines.length) host.before(keyOf(lines));
  host.addEventListener("click", (event) => {
    const step = chart.atX(event.clientX - chart.svg.getBoundingClientRect().left);
    const gaps = run.steps.map((s) => Math.abs(s - step));
    go(gaps.indexOf(Math.min(...gaps)));
  });
  const two = (pairs) => table(null, pairs, { class: "settings" });
  side.append(el("h3", {}, "Settings"), two(run.settings));
  if (run.run.warnings.length)
    side.append(
      el("h3", {}, "It warned"),
      el(
        "ul",
        {},
        run.run.warnings.map((w) => el("li", {}, w)),
      ),
    );
  const columns = data.columns.map((c) => [
    brief(c.name, 24),
    short(c.mean),
    short(c.deviation),
    short(c.low),
    short(c.high),
  ]);
  const more =
    data.features > 12
      ? el("p", { class: "hint" }, `The first 12 of ${whole(data.features)} columns.`)
      : null;
  const below = el("div", { class: "pair" });
  root.append(below);
  if (columns.length) {
    below.append(
      el(
        "div",
        { class: "scroll" },
        el("h3", {}, `The data: ${counted(data.rows, "row")}`),
        table(["", "mean", "deviation", "lowest", "highest"], columns, { class: "numbers" }),
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
            el("h3", {}, "To do it again"),
            el("pre", { tabindex: "0" }, el("code", {}, run.command)),
          ]
        : null,
      el("h3", {}, "Made with"),
      two(run.versions),
      el("p", { class: "hint" }, rowsUsed()),
    ),
  );
  panels.push({
    update() {
      const here = run.losses[state.place];
      const batch =
        here !== null && Math.abs(here - lossNow()) > 1e-3 * Math.abs(lossNow()) + 1e-12
          ? ` (of its batch; ${short(lossNow())} on ${run.same_rows ? "all rows" : "the rows of this page"})`
          : "";
      const rate = run.rates[state.place];
      caption.textContent = `Step ${stepNow()} of ${run.run.steps}: loss ${short(here ?? lossNow(), 6)}${batch}${rate === null ? "" : `, learning rate ${short(rate)}`}.`;
      chart.move();
    },
  });
}

// Which rows the slopes are of.
function rowsUsed() {
  const which = run.same_rows
    ? data.rows === 1
      ? "the one row"
      : `all ${whole(data.rows)} rows`
    : `${whole(run.rows_used)} of the ${whole(data.rows)} rows, evenly spread`;
  const dropped = run.dropped
    ? ` ${counted(run.dropped, "kept step")} with weights beyond 1e150 ${run.dropped === 1 ? "is" : "are"} left out.`
    : "";
  const kept =
    run.steps.length <= run.run.steps
      ? ` Of ${whole(run.run.steps + 1)} moments ${whole(run.steps.length)} are shown, the first ones all.`
      : "";
  const drawn =
    count && count < run.rows_used ? ` The hill is drawn from ${whole(count)} of them.` : "";
  return `Losses and slopes are of ${which}.${drawn}${kept}${dropped}`;
}
