// Screen 1: the data, and the model as it is at this step.

function dataPanel() {
  if (run.task === "other" || !count) return;
  if (run.task === "classes") {
    classesPanel();
    return;
  }
  const { x_names: names, y_name: target } = data;
  const curved = run.open && features === 1;
  const root = screen(
    "data",
    !curved ? "What it predicts" : run.line ? "The data and the line" : "The data and the curve",
    curved
      ? `Each point is a row. The bold ${run.line ? "line" : "curve"} is the model at this step; ` +
          "the hairlines are its residuals u = ŷ − y at some rows. " +
          "Descent makes the mean of their squares, the loss, as small as it can."
      : "Each point is a row: what the model predicts at this step against what was observed. " +
          "A perfect model puts all of them on the diagonal.",
  );
  const host = el("div", { class: "plot" });
  const side = el("div", { class: "side" });
  pair(root, el("figure", {}, host, el("figcaption", {})), side);
  const caption = root.querySelector("figcaption");
  const y = data.y.map(ownY);
  const x = curved ? data.x.map((row) => ownX(row[0], 0)) : null;
  const shown = Math.min(count, run.open ? count : 300);
  const closed = run.closed_form;

  const predicted = (weights) =>
    run.open
      ? Array.from(outputsOf(weights), ownY)
      : run.outputs[state.place].map((z) => (z === null ? NaN : ownY(z)));
  let now = [];
  const grid = curved
    ? Array.from({ length: 121 }, (_, i) => {
        const [low, high] = extent(data.x.map((row) => row[0]));
        return low + ((high - low) * i) / 120;
      })
    : null;

  const yDomain = extent(y, 0.06);
  const chart = new Chart(host, {
    x: {
      domain: curved ? extent(x, 0.03) : extent(y, 0.06),
      name: curved ? brief(names[0], 44) : `${brief(target, 30)}, observed`,
    },
    y: { domain: yDomain, name: curved ? brief(target, 44) : `${brief(target, 30)}, predicted` },
    ratio: 0.72,
    still(c) {
      c.back.append(
        ...(curved
          ? x.map((a, i) => c.dot(a, y[i], count > 400 ? 2.6 : 3.4, { class: "point" }))
          : []),
      );
      if (!curved)
        c.back.append(
          c.path(
            [
              [yDomain[0], yDomain[0]],
              [yDomain[1], yDomain[1]],
            ],
            { class: "truth" },
          ),
        );
      if (curved && closed) {
        const ends = c.options.x.domain;
        const line = (a) => closed.slope[0] * a + closed.intercept;
        c.back.append(
          c.path(
            ends.map((a) => [a, line(a)]),
            { class: "truth" },
          ),
        );
        c.front.append(
          beside(
            c,
            ends,
            ends.map(line),
            run.line ? "closed form" : "best line",
            true,
            "truth-text",
          ),
        );
      }
    },
    moving: (c) => paint(c, run.open ? weightsNow() : null),
    label: () => caption.textContent,
  });

  function paint(c, weights) {
    now = predicted(weights);
    if (!curved) {
      c.clipped(
        now
          .slice(0, shown)
          .map((p, i) =>
            Number.isFinite(p) ? c.dot(y[i], p, 3, { class: "point model-point" }) : null,
          )
          .filter(Boolean),
      );
      const r = rowNow();
      if (r < shown && Number.isFinite(now[r]))
        c.clipped(c.dot(y[r], now[r], 6, { class: "ring" }));
      return;
    }
    ghosts(c);
    const truth = c.front.querySelector(".truth-text");
    const followed = rowNow();
    const some = Math.max(1, Math.floor(count / 24));
    for (let i = Math.floor(some / 2); i < count; i += some) hairline(c, i, "");
    const curve = Array.from(outputsOf(weights, Float64Array.from(grid), grid.length), ownY);
    const points = grid.map((z, i) => [ownX(z, 0), curve[i]]);
    c.clipped(c.path(points, { class: "model halo" }), c.path(points, { class: "model" }));
    hairline(c, followed, "strong");
    c.clipped(c.dot(x[followed], y[followed], 6, { class: "ring" }));
    const ends = [points[0], points[points.length - 1]];
    c.put(
      beside(
        c,
        ends.map((p) => p[0]),
        ends.map((p) => p[1]),
        `step ${stepNow()}`,
        false,
        "model-text",
        truth,
      ),
    );
  }

  // Where the model stood before: a few of the earlier steps, ever paler.
  function ghosts(c) {
    for (let back = 1; back <= 8 && back <= state.place; back++) {
      const curve = outputsOf(
        run.weights[state.place - back],
        Float64Array.from(grid),
        grid.length,
      );
      const points = grid.map((z, i) => [ownX(z, 0), ownY(curve[i])]);
      c.clipped(
        c.path(points, { class: "ghost", "stroke-opacity": (0.4 - 0.045 * back).toFixed(3) }),
      );
    }
  }

  function hairline(c, i, kind) {
    const u = now[i] - y[i];
    if (!Number.isFinite(u)) return;
    const sign = u > 0 ? "up" : "down";
    c.clipped(
      draw("line", {
        x1: c.x(x[i]),
        x2: c.x(x[i]),
        y1: c.y(y[i]),
        y2: c.y(now[i]),
        class: `hair ${sign} ${kind}`,
      }),
    );
  }

  listen(host, chart, () => (curved ? [x, y] : [y, now]), shown);

  const formula = el("div", { class: "formula" });
  const figures = el("div", {});
  const followed = el("p", { class: "followed" });
  side.append(el("h3", {}, "The model now"), formula, figures, followed);

  panels.push({
    update() {
      now = predicted(run.open ? weightsNow() : null);
      chart.move();
      formula.replaceChildren(...(run.open ? [modelFormula()].flat() : []));
      figures.replaceChildren(comparison(closed), ...trust(closed));
      const r = rowNow();
      const u = now[r] - y[r];
      const own = curved ? `${plainName(names[0])} = ${short(x[r])}, ` : "";
      followed.replaceChildren(
        `Row ${data.row_numbers[r]}: ${own}${plainName(target)} = ${short(y[r])}; the model says `,
        el("span", { class: "number model-text" }, short(now[r])),
        ", so u = ",
        signedText(u),
        ".",
        el("span", { class: "hint" }, " Point at another; a click keeps it."),
      );
      caption.textContent = captionOf(closed);
      chart.svg.setAttribute("aria-label", caption.textContent);
    },
    glide(weights) {
      chart.clear();
      paint(chart, weights);
    },
  });

  function captionOf(form) {
    const loss = lossNow();
    const lowest = form && run.same_rows ? form.mse / data.y_scale ** 2 : null;
    const gap =
      lowest === null || !run.line
        ? ""
        : loss - lowest < 1e-6 * lowest
          ? ", as low as a line can get: the closed form's"
          : `; the closed form's is ${short(lowest)}`;
    const sampled =
      count < data.rows ? ` ${whole(count)} of ${whole(data.rows)} rows are drawn.` : "";
    return `At step ${stepNow()} the loss is ${short(loss)}${gap}.${sampled}`;
  }
}

// A name above a line at its high end, or below it at its low one, where the line leaves it room;
// at the other end where another name stands.
function beside(chart, [x0, x1], [y0, y1], text, above, kind, other = null) {
  const low = chart.y(Math.min(y0, y1)) + 24 * chart.unit > chart.box.bottom;
  if (low) above = true; // below, there is no room
  const right = y1 >= y0 === above;
  const at = (end) =>
    chart.note(
      end ? x1 : x0,
      end ? y1 : y0,
      text,
      { class: kind, "text-anchor": end ? "end" : "start" },
      0,
      above ? -9 : 20,
    );
  const found = at(right);
  const gap = (key) => Math.abs(found.getAttribute(key) - other.getAttribute(key));
  const taken = other && gap("x") < 80 * chart.unit && gap("y") < 18 * chart.unit;
  return taken ? at(!right) : found;
}

// The slopes and intercept of a line in the data's own units.
function ownLine(weights) {
  const { weight, bias } = layers[0];
  let intercept = bias === null ? 0 : weights[bias] * data.y_scale;
  const slopes = [];
  for (let i = 0; i < features; i++) {
    slopes.push((weights[weight + i] * data.y_scale) / data.x_scale[i]);
    intercept -= slopes[i] * data.x_mean[i];
  }
  return { slopes, intercept: intercept + data.y_mean };
}

// The model in mathematics, with the numbers of this step.
function modelFormula() {
  if (oneLine) {
    const { slopes, intercept } = ownLine(weightsNow());
    const most = features > 4 ? 3 : features;
    const rows = [];
    for (let i = 0; i < most; i++) {
      const x = features === 1 ? m.i("x") : m.sub(m.i("x"), part("mn")(i + 1));
      const factor = i === 0 ? [hat(), m.o("="), m.n(slopes[0])] : signed(slopes[i]);
      rows.push(m.row(...factor, m.o("·"), x));
    }
    if (most < features) rows.push(m.row(m.o("+"), m.o("…")));
    return m.block(...rows, m.row(...signed(intercept)));
  }
  return layers.map((_, l) => {
    const end = l === layers.length - 1;
    return m.block(stageFormula(l, end ? (run.task === "classes" ? m.i("z") : hat()) : null));
  });
}

// The model beside the closed form, number by number.
function comparison(closed) {
  const rows = [];
  if (oneLine) {
    const { slopes, intercept } = ownLine(weightsNow());
    slopes
      .slice(0, 8)
      .forEach((slope, i) =>
        rows.push([
          features === 1 ? "slope" : plainName(data.x_names[i], 18),
          short(slope, 6),
          ...(closed ? [short(closed.slope[i], 6)] : []),
        ]),
      );
    if (features > 8) rows.push([`${features - 8} more`, "", ...(closed ? [""] : [])]);
    rows.push(["intercept", short(intercept, 6), ...(closed ? [short(closed.intercept, 6)] : [])]);
  }
  const lowest = closed && short(closed.mse / data.y_scale ** 2, 6);
  rows.push(["loss", short(lossNow(), 6), ...(closed ? [lowest] : [])]);
  const head = [
    "",
    `step ${stepNow()}`,
    ...(closed ? [run.line ? "closed form" : "best line"] : []),
  ];
  return table(head, rows, { class: "numbers", id: "model-numbers" });
}

// How far the closed form is to be trusted.
function trust(closed) {
  if (!closed || !run.line || closed.r_squared === null) return [];
  const error = features === 1 ? closed.slope_error[0] : null;
  const known = error === null ? "" : ` Its slope is known to ± ${short(error, 2)}.`;
  const share = (100 * closed.r_squared).toFixed(1);
  const words = `The closed form explains ${share} % of the variation of ${plainName(data.y_name)}.`;
  return [el("p", { class: "hint" }, words + known)];
}

// The pointer finds the nearest point; a click keeps it.
function listen(host, chart, points, shown) {
  const nearest = (event) => {
    const place = chart.svg.getBoundingClientRect();
    const [px, py] = [event.clientX - place.left, event.clientY - place.top];
    const [a, b] = points();
    let best = null;
    let least = 28 ** 2;
    for (let i = 0; i < shown; i++) {
      const gap = (chart.x(a[i]) - px) ** 2 + (chart.y(b[i]) - py) ** 2;
      if (gap < least) [best, least] = [i, gap];
    }
    return best;
  };
  host.addEventListener("pointermove", (event) => point(nearest(event)));
  host.addEventListener("pointerleave", () => point(null));
  host.addEventListener("click", (event) => {
    const found = nearest(event);
    if (found !== null) change({ row: found, hovered: null });
  });
}
