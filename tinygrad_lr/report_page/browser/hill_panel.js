// Screen 2: the hill. The loss over one weight with the others held, its slope, and the step.

// The weights up to where they leave the picture for good.
function followed(track, ends) {
  const first = Math.max(Math.abs(track[0] - ends), Math.abs((track[1] ?? track[0]) - ends)) || 1;
  const beyond = track.findIndex((w) => !(Math.abs(w - ends) <= 4 * first));
  return beyond < 0 ? track : track.slice(0, Math.max(beyond, Math.min(2, track.length)));
}

// The moment with the smallest loss.
const bestPlace = Math.max(0, run.full.indexOf(Math.min(...run.full.filter((x) => x !== null))));

// Where a weight belongs: at the minimum where that is known, else where the best moment had it.
function endOf(index) {
  const minimum = run.surface && run.surface.minimum;
  if (minimum && index === layers[0].weight) return minimum[0];
  if (minimum && index === layers[0].bias) return minimum[1];
  return run.weights[bestPlace][index];
}

// A weight's window, the same at every step: its path, and as much again around its end.
function reachOf(index) {
  const track = run.weights.map((row) => row[index]);
  const ends = endOf(index);
  const path = followed(track, ends);
  const reach = Math.max(
    ...path.map((w) => Math.abs(w - ends)),
    1e-3 * Math.max(1, Math.abs(ends)),
  );
  return { middle: ends, reach: 1.3 * reach, path };
}

// The loss over a weight from end to end of a window.
function sliceOf(loss, domain, points) {
  return Array.from({ length: points }, (_, i) => {
    const w = domain[0] + ((domain[1] - domain[0]) * i) / (points - 1);
    return [w, loss(w)];
  });
}

function hillPanel() {
  if (!run.open) {
    surfaceScreen();
    return;
  }
  const several = run.weights[0].length > 1;
  const root = screen(
    "hill",
    "The hill",
    `The loss over one weight${several ? ", all others held where they are at this step" : ""}. ` +
      (run.plain
        ? "Descent looks at the slope under its feet and steps downhill: " +
          "new weight = old weight − learning rate · slope."
        : "The slope says which way is down; how far to go, this run's optimiser decides, " +
          "and in batches it sees other rows at each step."),
  );
  const host = el("div", { class: "plot" });
  const caption = el("figcaption", { id: "hill-words" });
  const sentence = el("div", { class: "formula" });
  const picker = several ? weightPicker() : null;
  if (picker) root.append(picker.node);
  const figure = el("figure", {}, host, caption);
  const side = run.surface ? el("figure", {}) : el("div", { class: "side" });
  pair(root, figure, side);
  const units = layers.reduce((sum, layer) => sum + layer.outputs, 0);
  const points = Math.max(13, Math.min(61, Math.round(1.2e6 / (count * units)))); // as time allows
  let standing = null; // the slice that the axes were made for
  let height = 1;
  let domainOf = null;

  const chart = new Chart(host, {
    x: { domain: [0, 1], name: "" },
    y: { domain: [0, 1], name: "loss" },
    ratio: 0.72,
    moving: paint,
    label: () => caption.textContent,
  });

  // The axes suit the chosen weight, and stay while the steps go by.
  function settle() {
    if (domainOf === weightNow()) return;
    domainOf = weightNow();
    const { middle, reach } = reachOf(weightNow());
    const domain = [middle - reach, middle + reach];
    const heights = [0, Math.floor(bestPlace / 2), bestPlace].map((k) => {
      const [low, high] = extent(
        sliceOf(lossOver(run.weights[k], weightNow()), domain, 15).map((p) => p[1]),
      );
      return high - low;
    });
    height = Math.max(...heights);
    chart.options.x = { domain, name: axisName(weightNow()) };
  }

  // The hill sinks as the other weights learn: its axis goes along, and fits its height.
  function stand() {
    const domain = chart.options.x.domain;
    const loss = lossOver(weightsNow(), weightNow());
    const curve = sliceOf(loss, domain, points);
    standing = { index: weightNow(), loss, curve };
    const w = weightsNow()[weightNow()];
    const here = w < domain[0] || w > domain[1] ? [] : [loss(w)];
    const [low, high] = extent([...curve.map((p) => p[1]), ...here]);
    const tall = Math.max(high - low, 0.05 * height);
    chart.options.y = { domain: [low - 0.12 * tall, low + 1.08 * tall], name: "loss" };
    if (chart.box) chart.layout();
  }

  // The hill, the tangent at the weight, the step that it asks for, and where it leads.
  function paint(c) {
    if (!standing) return;
    const { index, loss, curve } = standing;
    const [w, g] = [weightsNow()[index], gradientsNow()[index]];
    const here = loss(w);
    const [left, right] = c.options.x.domain;
    const span = 0.22 * (right - left);
    const kind = g > 0 ? "up" : "down";
    c.clipped(c.path(curve, { class: "truth hill" }));
    const tangent = [w - span, w + span].map((a) => [a, here + g * (a - w)]);
    c.clipped(c.path(tangent, { class: `tangent ${kind}` }));
    const next = nextNow();
    if (next) {
      const landing = next[index];
      const [x, low] = [c.x(landing), c.y(loss(landing))];
      c.clipped(draw("line", { x1: x, x2: x, y1: c.y(here), y2: low, class: "drop" }));
      c.clipped(c.arrow(w, here, landing, here, { class: "arrow step" }) || "");
      c.clipped(c.dot(landing, loss(landing), 5, { class: "landing" }));
    }
    const middle = { class: `${kind}-text`, "text-anchor": "middle" };
    const top = c.options.y.domain[1];
    c.put(c.note((left + right) / 2, top, `slope ${short(g)}`, middle, 0, 22));
    nudged(c, loss, w, g);
    traces(c);
    c.clipped(c.dot(w, here, 6.5, { class: "now" }));
  }

  // On the way to the next step: the arrow fades, and the point runs down this same hill.
  function slide(c, w, eased) {
    const { index, loss, curve } = standing;
    const [start, goal] = [state.place, state.place + 1].map((k) => run.weights[k][index]);
    const height = loss(start);
    const fading = { class: "arrow step", opacity: 1 - eased };
    c.clipped(c.path(curve, { class: "truth hill" }));
    c.clipped(c.arrow(start, height, goal, height, fading) || "");
    c.clipped(c.dot(goal, loss(goal), 5, { class: "landing" }));
    traces(c);
    c.clipped(c.dot(w, loss(w), 6.5, { class: "now" }));
  }

  // Where the weight has been, as marks on the axis.
  function traces(c) {
    const index = weightNow();
    const [left, right] = c.options.x.domain;
    for (const k of run.steps.keys()) {
      if (k > state.place) break;
      const past = run.weights[k][index];
      if (past < left || past > right) continue;
      c.put(
        draw("line", {
          x1: c.x(past),
          x2: c.x(past),
          y1: c.box.bottom - 9,
          y2: c.box.bottom,
          class: "trace",
        }),
      );
    }
  }

  // Where a nudge would lead: on the hill, and on the tangent.
  function nudged(c, loss, before, g) {
    if (!state.nudge) return;
    const delta = nudgeNow();
    const w = before + delta;
    const [left, right] = c.options.x.domain;
    if (w < left || w > right) return;
    const [promise, seen] = [loss(before) + g * delta, loss(w)];
    c.clipped(
      c.dot(w, promise, 4.5, { class: `promised ${g > 0 ? "up" : "down"}` }),
      c.dot(w, seen, 4.5, { class: "seen" }),
    );
    const apart = Math.abs(c.y(promise) - c.y(seen)) > 14 ? 5 : promise > seen ? -12 : 18;
    c.put(
      c.note(w, promise, "promised", { class: "tick" }, 8, apart),
      c.note(w, seen, "seen", { class: "tick" }, 8, apart === 5 ? 5 : apart > 0 ? -8 : 20),
    );
  }

  panels.push({
    update() {
      settle();
      if (picker) picker.update();
      caption.replaceChildren(...stepWords());
      sentence.replaceChildren(stepFormula());
      stand();
    },
    glide(weights, eased) {
      chart.clear();
      slide(chart, weights[weightNow()], eased);
    },
  });
  if (run.surface) surfacePanel(side);
  root.append(sentence);
}

function axisName(index) {
  const { layer, from, to } = placeOf(index);
  if (oneLine) {
    const scaled = from >= 0 && data.x_scale[from] !== 1;
    return `${weightName(index)}${scaled ? `, per standard deviation of ${plainName(data.x_names[from], 20)}` : ""}`;
  }
  const source =
    from < 0 ? "bias" : layer === 0 ? plainName(data.x_names[from], 16) : `unit ${from + 1}`;
  const target = layer === layers.length - 1 ? outputName(to) : `unit ${to + 1}`;
  return `weight ${source} → ${target}, layer ${layer + 1}`;
}

const nudgeNow = () => state.nudge * reachOf(weightNow()).reach;

// The step in words: the sign of the slope, and where it sends the weight.
function stepWords() {
  const index = weightNow();
  const g = gradientsNow()[index];
  const next = nextNow();
  const name = oneLine && features === 1 ? weightName(index) : "the weight";
  const { middle, reach } = reachOf(index);
  const away =
    Math.abs(weightsNow()[index] - middle) > reach
      ? ` It is ${short(weightsNow()[index])} by now, far off this picture.`
      : "";
  if (!run.run.steps) return ["The slope is ", signedText(g), ": no step has been taken."];
  if (!g) return [`The slope is 0: the hill is level here, so ${name} stays.`];
  const sign = g > 0 ? "positive" : "negative";
  const way = g > 0 ? "left" : "right";
  if (!next) {
    const level = Math.abs(g) < 1e-5 ? "as good as level" : `${sign}, so down is to the ${way}`;
    const end = state.place === last ? "; the last step has been taken." : ".";
    return ["The slope is ", signedText(g), `: ${level}${end}`];
  }
  const moved = next[index] - weightsNow()[index];
  if (run.plain) {
    return [
      "The slope is ",
      signedText(g),
      `: ${sign}, so ${name} moves ${way} by ${short(Math.abs(moved), 3)}.${away}`,
    ];
  }
  const went = moved > 0 ? "right" : "left";
  const agrees = went === way ? "as the slope says" : "against this slope";
  return [
    "The slope is ",
    signedText(g),
    `: ${sign}, which says ${way}. The optimiser moves ${name} ${went} by ${short(Math.abs(moved), 3)}, ${agrees}` +
      (went === way ? "." : ": it follows other rows, or its momentum."),
  ];
}

function stepFormula() {
  const index = weightNow();
  const [w, g] = [weightsNow()[index], gradientsNow()[index]];
  const rate = run.rates[state.place];
  if (!run.plain || !nextNow()) return "";
  const symbol = () => weightSymbol(index);
  const simple = oneLine && features === 1;
  return m.block(
    m.row(
      simple ? m.sub(symbol(), m.text("new")) : m.text("new"),
      m.o("="),
      simple ? symbol() : m.text("old"),
      m.o("−"),
      m.text("rate"),
      m.o("·"),
      slope(m.i("L"), symbol()),
    ),
    m.row(m.infix("="), m.n(w), m.o("−"), m.n(rate), m.o("·"), bracketed(g)),
    m.row(m.infix("="), m.n(w - rate * g)),
  );
}

// Choices that name a weight: of a line one list, of a network its layer and the units it joins.
function weightPicker() {
  const node = el("div", { class: "picker" });
  if (layers.length === 1 && oneLine) {
    const { weight, bias } = layers[0];
    const all = Array.from({ length: features }, (_, i) => weight + i).concat(
      bias === null ? [] : [bias],
    );
    const select = choice(
      "Weight",
      all.slice(0, 200).map((i) => [String(i), weightName(i)]),
      (value) => change({ weight: Number(value) }),
    );
    node.append(select.label);
    return { node, update: () => select.set(String(state.weight)) };
  }
  const parts = ["layer", "from", "to"].map((key) =>
    choice({ layer: "Layer", from: "from", to: "to" }[key], [], (value) => {
      const place = { ...placeOf(state.weight), [key]: Number(value) };
      const layer = layers[place.layer];
      place.from = Math.min(place.from, layer.inputs - 1);
      place.to = Math.min(place.to, layer.outputs - 1);
      if (layer.bias === null) place.from = Math.max(0, place.from);
      change({ weight: indexOf(place) });
    }),
  );
  node.append(...parts.map((p) => p.label));
  let shownLayer = -1;
  return {
    node,
    update() {
      const place = placeOf(state.weight);
      if (place.layer !== shownLayer) {
        shownLayer = place.layer;
        const layer = layers[place.layer];
        const unit = (i) => (place.layer === 0 ? plainName(data.x_names[i], 22) : `unit ${i + 1}`);
        const goal = (j) => (place.layer === layers.length - 1 ? outputName(j) : `unit ${j + 1}`);
        parts[0].fill(layers.map((_, l) => [String(l), String(l + 1)]));
        parts[1].fill([
          ...Array.from({ length: layer.inputs }, (_, i) => [String(i), unit(i)]),
          ...(layer.bias === null ? [] : [["-1", "the bias"]]),
        ]);
        parts[2].fill(Array.from({ length: layer.outputs }, (_, j) => [String(j), goal(j)]));
      }
      parts[0].set(String(place.layer));
      parts[1].set(String(place.from));
      parts[2].set(String(place.to));
    },
  };
}

function choice(name, options, chosen) {
  const select = el("select", { onchange: (event) => chosen(event.target.value) });
  const fill = (pairs) =>
    select.replaceChildren(...pairs.map(([value, text]) => el("option", { value }, text)));
  fill(options);
  return {
    label: el("label", { class: "choice" }, el("span", {}, name), " ", select),
    fill,
    set(value) {
      if (select.value !== value) select.value = value;
    },
  };
}
