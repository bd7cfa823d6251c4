// Screen 5: the network drawn; a chosen weight, its paths to the loss, and what a nudge does.

const MOST_UNITS = 20; // of a layer that are drawn

function networkPanel() {
  if (!run.open || layers.length < 2) return;
  const root = screen(
    "network",
    "Earlier layers",
    "Edges are weights: the wider, the larger; their colour is the gradient. A weight far from the loss " +
      "works through every unit that it feeds: choose one, and its paths light up.",
  );
  const picker = weightPicker();
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", {});
  const key = keyOf([
    ["edge lit up", "gradient positive"],
    ["edge lit", "zero"],
    ["edge lit negative down", "negative"],
  ]);
  const figure = el("figure", {}, picker.node, key, host, caption);
  const side = el("div", { class: "side" });
  pair(root, figure, side);
  const factors = el("div", { class: "factors scroll" });
  const nudge = el("input", {
    type: "range",
    min: -1,
    max: 1,
    step: 0.02,
    id: "nudge",
    "aria-label": "Nudge of the chosen weight",
    oninput: (event) => change({ nudge: Number(event.target.value) }),
  });
  const promised = el("div", {});
  side.append(
    el("h3", {}, "Its chain of factors"),
    factors,
    el("h3", {}, "A nudge"),
    el("label", { class: "choice wide-choice" }, el("span", {}, "Change this weight alone"), nudge),
    promised,
  );

  const widths = [features, ...layers.map((l) => l.outputs)];
  const drawn = widths.map((w) => Math.min(w, MOST_UNITS));
  const quick = count * run.weights[0].length < 400000; // to show a weight that is pointed at
  let edges = [];
  let places = [];
  let svg = null;

  function layout() {
    const width = Math.floor(host.clientWidth);
    if (!width) return;
    const height = Math.max(260, Math.min(440, width * 0.72));
    const [left, right] = [54, width - 60];
    places = drawn.map((units, l) =>
      Array.from({ length: units }, (_, i) => [
        left + ((right - left) * l) / (drawn.length - 1),
        28 + (height - 46) * ((i + 0.5) / units),
      ]),
    );
    edges = [];
    const lines = draw("g", {});
    layers.forEach((layer, l) => {
      for (let i = 0; i < drawn[l]; i++) {
        for (let j = 0; j < drawn[l + 1]; j++) {
          const [[x1, y1], [x2, y2]] = [places[l][i], places[l + 1][j]];
          const index = indexOf({ layer: l, from: i, to: j });
          const line = draw("line", { x1, y1, x2, y2, class: "edge" });
          const room = draw(
            "line",
            {
              ...{ x1, y1, x2, y2, class: "edge-room" },
              onclick: () => change({ weight: index, pointed: null }),
              onpointerenter: () => quick && change({ pointed: index }),
              onpointerleave: () => quick && change({ pointed: null }),
            },
            draw("title", {}, weightName(index)),
          );
          lines.append(line, room);
          edges.push({ l, i, j, index, line });
        }
      }
    });
    const nodes = draw(
      "g",
      {},
      places.flatMap((column, l) =>
        column.map(([x, y]) =>
          draw("circle", { cx: x, cy: y, r: drawn[l] > 12 ? 4.5 : 7, class: "unit" }),
        ),
      ),
    );
    const names = draw(
      "g",
      {},
      places[0].length <= 8
        ? places[0].map(([x, y], i) =>
            draw(
              "text",
              { x: x - 12, y: y + 4, class: "tick", "text-anchor": "end" },
              plainName(data.x_names[i], 7),
            ),
          )
        : [],
      places[places.length - 1].map(([x, y], k) =>
        draw(
          "text",
          { x: x + 12, y: y + 4, class: "tick" },
          run.task === "classes" ? brief(data.labels[k], 7) : "ŷ → L",
        ),
      ),
      places.map((column, l) =>
        draw(
          "text",
          { x: column[0][0], y: 14, class: "tick", "text-anchor": "middle" },
          l === 0
            ? "inputs"
            : l === places.length - 1
              ? "output"
              : (right - left) / places.length < 50
                ? ""
                : layers[l - 1].function || "layer",
        ),
      ),
    );
    svg = draw(
      "svg",
      { role: "img", class: "chart", width, height, viewBox: `0 0 ${width} ${height}` },
      lines,
      nodes,
      names,
    );
    svg.nodes = nodes;
    host.replaceChildren(svg);
    paint();
  }

  function paint() {
    if (!svg) return;
    const [w, g] = [weightsNow(), gradientsNow()];
    const chosen = placeOf(weightNow());
    const widest = layers.map((layer) =>
      Math.max(
        1e-300,
        ...Array.from({ length: layer.inputs * layer.outputs }, (_, k) =>
          Math.abs(w[layer.weight + k]),
        ),
      ),
    );
    const steepest = layers.map((layer) =>
      Math.max(
        1e-300,
        ...Array.from({ length: layer.inputs * layer.outputs }, (_, k) =>
          Math.abs(g[layer.weight + k]),
        ),
      ),
    );
    for (const { l, i, j, index, line } of edges) {
      const lit =
        index === weightNow() || (l > chosen.layer && (l > chosen.layer + 1 || i === chosen.to));
      line.setAttribute(
        "class",
        `edge${lit ? " lit" : ""}${index === weightNow() ? " chosen" : ""}${g[index] < 0 ? " negative" : ""}`,
      );
      line.setAttribute("stroke-width", (0.4 + 4.2 * (Math.abs(w[index]) / widest[l])).toFixed(2));
      const share = Math.round(100 * Math.sqrt(Math.abs(g[index]) / steepest[l]));
      line.style.stroke = `color-mix(in oklab, var(--${g[index] > 0 ? "up" : "down"}) ${share}%, var(--level))`;
    }
    for (const edge of edges)
      if (edge.index === weightNow()) edge.line.parentNode.append(edge.line);
    const circles = [...svg.nodes.childNodes];
    let at = 0;
    places.forEach((column, l) =>
      column.forEach((_, i) => {
        const lit =
          l > chosen.layer + 1 ||
          (l === chosen.layer + 1 && i === chosen.to) ||
          (l === chosen.layer && i === chosen.from);
        circles[at].setAttribute("class", `unit${lit ? " lit" : ""}`);
        at += 1;
      }),
    );
    svg.setAttribute("aria-label", caption.textContent);
  }

  new ResizeObserver(() => {
    if (!svg || Math.floor(host.clientWidth) !== Number(svg.getAttribute("width"))) layout();
  }).observe(host);

  panels.push({
    update() {
      picker.update();
      const g = gradientsNow()[weightNow()];
      const { layer } = placeOf(weightNow());
      const ways = layers.slice(layer + 1).reduce((n, l) => n * l.outputs, 1);
      const hidden = widths.some((w) => w > MOST_UNITS)
        ? ` The first ${MOST_UNITS} units of a layer are drawn.`
        : "";
      const name = weightName(weightNow());
      caption.textContent =
        `${name.charAt(0).toUpperCase()}${name.slice(1)} is ${short(weightsNow()[weightNow()])}; its gradient is ${short(g)}. ` +
        `${counted(ways, "path")} lead${ways === 1 ? "s" : ""} from it to the output.${hidden}`;
      paint();
      factors.replaceChildren(...chainOfFactors());
      if (document.activeElement !== nudge) nudge.value = state.nudge;
      nudge.setAttribute("aria-valuetext", `by ${short(nudgeNow(), 3)}`);
      promised.replaceChildren(...nudgeTable());
    },
    glide() {},
  });
}

// A weight's slope on the followed row: what it multiplies, and what comes back along each path.
function chainOfFactors() {
  const r = rowNow();
  const w = weightsNow();
  const trace = traced(w, r);
  const { layer, from, to } = placeOf(weightNow());
  const stage = trace.stages[layer];
  const x = from < 0 ? 1 : stage.input[from];
  const bends = layers[layer].function;
  const goal = run.task === "classes" ? m.i("z") : hat();
  const total = x * stage.dBefore[to];
  const input =
    from < 0
      ? part("mn")("1")
      : layer === 0
        ? m.sub(m.i("x"), part("mn")(from + 1))
        : layered("h", layer, from + 1);
  const inner = [input, ...(bends ? [m.o("·"), m.sup(m.i("f"), m.o("′"))] : [])];
  const back =
    layer === layers.length - 1
      ? slope(m.i("L"), goal)
      : slope(m.i("L"), layered("h", layer + 1, to + 1));
  const numbers = [
    bracketed(x, 3),
    ...(bends ? [m.o("·"), bracketed(stage.bend[to], 3)] : []),
    m.o("·"),
    bracketed(stage.dAfter[to], 3),
  ];
  const head = m.block(
    m.row(partial(m.i("L"), weightSymbol(weightNow())), m.o("="), ...inner, m.o("·"), back),
  );
  const lines = [
    el(
      "p",
      { class: "hint" },
      `On row ${data.row_numbers[r]}; the sum over all rows is the gradient.`,
    ),
    head,
    m.block(m.row(m.infix("="), ...numbers), m.row(m.infix("="), m.n(total, 3))),
  ];
  const paths = strongest(trace, layer, to).slice(0, 4);
  if (layer < layers.length - 1) {
    const after = stage.dAfter[to];
    lines.push(
      el(
        "p",
        { class: "hint" },
        paths.length < 2
          ? "What comes back along its path:"
          : "What comes back, by its strongest paths:",
      ),
      table(
        ["through", "product", "share"],
        paths.map(({ way, product }) => [
          way
            .map((k, i) => (layer + 1 + i === layers.length - 1 ? outputName(k) : `unit ${k + 1}`))
            .join(" → "),
          signedText(product, 3),
          after ? `${short(Math.round((100 * product) / after))} %` : "–",
        ]),
        { class: "numbers" },
      ),
    );
  }
  return lines;
}

// The paths from a unit to the outputs, with the product of what lies on each; a beam of 60.
function strongest(trace, layer, unit) {
  const w = weightsNow();
  let beam = [{ way: [], at: unit, product: 1 }];
  for (let l = layer + 1; l < layers.length; l++) {
    const { weight, outputs } = layers[l];
    const bend = trace.stages[l].bend;
    beam = beam.flatMap(({ way, at, product }) =>
      Array.from({ length: outputs }, (_, j) => ({
        way: [...way, j],
        at: j,
        product: product * w[weight + at * outputs + j] * bend[j],
      })),
    );
    beam.sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
    beam = beam.slice(0, 400);
  }
  const ends = trace.stages[trace.stages.length - 1].dAfter;
  return beam
    .map((path) => ({ ...path, product: path.product * ends[path.at] }))
    .sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
}

// What the slope promises for a nudge, beside what the loss does.
function nudgeTable() {
  const delta = nudgeNow();
  const g = gradientsNow()[weightNow()];
  const w = weightsNow()[weightNow()];
  const loss = lossOver(weightsNow(), weightNow());
  const seen = loss(w + delta) - loss(w);
  const rows = [
    ["nudge δ", short(delta, 3)],
    ["promised: slope · δ", signedText(g * delta, 4)],
    ["truly seen", signedText(seen, 4)],
  ];
  const words = !state.nudge
    ? "Move the slider: near 0 the slope tells the truth, further off the hill bends away."
    : Math.abs(seen - g * delta) <= 0.1 * Math.abs(seen)
      ? "The slope tells it to within a tenth."
      : "So far out, the hill has bent away from its tangent.";
  return [
    table(["", "change"], rows, { class: "numbers", id: "nudge-numbers" }),
    el("p", { class: "hint" }, words),
  ];
}
