// A chart: two axes with round ticks and names, a part that stays and a part that moves.

let clips = 0;

function linearTicks([low, high], about) {
  const raw = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const steps = [0.2, 0.5, 1, 2, 5, 10].map((s) => s * power);
  const fits = (s) => Math.floor(high / s + 1e-9) - Math.ceil(low / s - 1e-9) >= 1; // two ticks at least
  const wanted = steps.findIndex((s) => s >= raw * 0.999);
  const step =
    steps
      .slice(0, wanted + 1)
      .reverse()
      .find(fits) || steps[0];
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    ticks.push(Number((i * step).toPrecision(12)));
  }
  return ticks;
}

function logTicks([low, high], about) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) {
    const found = [];
    for (let p = first - 1; p <= last; p++) {
      for (const s of [1, 2, 5])
        if (s * 10 ** p >= low && s * 10 ** p <= high) found.push(s * 10 ** p);
    }
    return found;
  }
  const stride = Math.max(1, Math.ceil((last - first) / Math.max(1, about)));
  const ticks = [];
  for (let p = first; p <= last; p += stride) ticks.push(Number(`1e${p}`));
  return ticks;
}

class Chart {
  // options: x and y ({domain, name, log, bare}), ratio, still(chart), moving(chart), label()
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.clip = `clip-${(clips += 1)}`;
    this.svg = draw("svg", { role: "img", class: "chart" });
    host.append(this.svg);
    new ResizeObserver(() => this.fit()).observe(host);
  }

  fit() {
    const width = Math.floor(this.host.clientWidth);
    if (width && width !== this.width) {
      this.width = width;
      this.layout();
    }
  }

  layout() {
    this.width = this.width || Math.floor(this.host.clientWidth) || 600;
    const { x, y, ratio = 0.68, least = 220 } = this.options;
    const unit = (this.unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 17);
    const height = Math.round(Math.max(least * unit, Math.min(460 * unit, this.width * ratio)));
    const yTicks = (y.log ? logTicks : linearTicks)(y.domain, height / (55 * unit));
    const longest = y.bare ? 0 : Math.max(...yTicks.map((t) => tickText(t).length), 1);
    this.box = {
      left: y.bare ? 6 : unit * Math.min(92, 12 + 7.6 * longest),
      right: this.width - (this.options.right || 12),
      top: (y.name ? 26 : 10) * unit,
      bottom: height - (x.bare ? 8 : 44) * unit,
    };
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.setAttribute("width", this.width);
    this.svg.setAttribute("height", height);
    const xTicks = (x.log ? logTicks : linearTicks)(
      x.domain,
      (this.box.right - this.box.left) / (72 * unit),
    );
    const { left, right, top, bottom } = this.box;
    const frame = draw(
      "clipPath",
      { id: this.clip },
      draw("rect", { x: left, y: top - 4, width: right - left, height: bottom - top + 5 }),
    );
    this.back = draw("g", { "clip-path": `url(#${this.clip})` });
    this.front = draw("g", {});
    this.svg.replaceChildren(
      draw("defs", {}, frame),
      this.axes(xTicks, yTicks),
      this.back,
      this.front,
    );
    for (const name of this.svg.querySelectorAll(".axis-name")) this.shorten(name);
    if (this.options.still) this.options.still(this);
    this.move();
  }

  // A name of wide letters, as long as there is room for.
  shorten(name) {
    const full = name.textContent;
    if (full.length * 16 * this.unit < this.width) return; // measuring takes its time
    for (let n = full.length - 2; n > 3 && name.getComputedTextLength() > this.width; n -= 2) {
      name.textContent = brief(full, n);
    }
  }

  axes(xTicks, yTicks) {
    const { x, y } = this.options;
    const { left, right, top, bottom } = this.box;
    const found = [
      draw("line", { x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5, class: "axis" }),
    ];
    if (!x.bare) {
      for (const t of xTicks) {
        const at = this.x(t);
        found.push(draw("line", { x1: at, x2: at, y1: bottom, y2: bottom + 4, class: "axis" }));
        found.push(
          draw(
            "text",
            { x: at, y: bottom + 18 * this.unit, class: "tick", "text-anchor": "middle" },
            tickText(t),
          ),
        );
      }
    }
    if (x.name) {
      found.push(
        draw(
          "text",
          { x: right, y: bottom + 37 * this.unit, class: "axis-name", "text-anchor": "end" },
          brief(x.name, Math.floor(this.width / (7.2 * this.unit))),
        ),
      );
    }
    if (!y.bare) {
      for (const t of yTicks) {
        const at = this.y(t);
        found.push(draw("line", { x1: left, x2: right, y1: at, y2: at, class: "grid" }));
        found.push(
          draw(
            "text",
            { x: left - 7, y: at + 4.5, class: "tick", "text-anchor": "end" },
            tickText(t),
          ),
        );
      }
    }
    if (y.name) found.push(draw("text", { x: 0, y: 13 * this.unit, class: "axis-name" }, y.name));
    return draw("g", {}, found);
  }

  scale(axis, from, to, value) {
    const [low, high] = axis.domain;
    const share = axis.log
      ? Math.log(Math.max(value, 1e-300) / low) / Math.log(high / low)
      : (value - low) / (high - low);
    return from + Math.max(-20, Math.min(21, share)) * (to - from); // far, and still a number
  }

  x(value) {
    return this.scale(this.options.x, this.box.left, this.box.right, value);
  }

  y(value) {
    return this.scale(this.options.y, this.box.bottom, this.box.top, value);
  }

  // The value at a place of the picture.
  atX(place) {
    const { domain } = this.options.x;
    const share = (place - this.box.left) / (this.box.right - this.box.left);
    return domain[0] + share * (domain[1] - domain[0]);
  }

  path(points, attributes) {
    let d = "";
    let pen = "M";
    for (const [a, b] of points) {
      if (a === null || b === null || !Number.isFinite(a) || !Number.isFinite(b)) {
        pen = "M";
        continue;
      }
      d += `${pen}${this.x(a).toFixed(1)} ${this.y(b).toFixed(1)}`;
      pen = "L";
    }
    return draw("path", { d, ...attributes });
  }

  dot(a, b, r, attributes) {
    return draw("circle", { cx: this.x(a).toFixed(1), cy: this.y(b).toFixed(1), r, ...attributes });
  }

  // Text at a point, kept inside the picture, with a halo that parts it from lines.
  note(a, b, text, attributes = {}, dx = 0, dy = 0) {
    const wide = 7.1 * this.unit * text.length;
    let anchor = attributes["text-anchor"] || "start";
    let at = this.x(a) + dx;
    if (anchor === "start" && at + wide > this.width)
      [anchor, at] = ["end", Math.min(at - 2 * dx, this.width - 2)];
    if (anchor === "end" && at - wide < 0) [anchor, at] = ["start", 2];
    if (anchor === "middle") at = Math.max(wide / 2, Math.min(this.width - wide / 2, at));
    const height = Math.max(this.box.top + 4, Math.min(this.box.bottom - 4, this.y(b) + dy));
    return draw(
      "text",
      {
        x: at.toFixed(1),
        y: height.toFixed(1),
        ...attributes,
        class: `note ${attributes.class || ""}`,
        "text-anchor": anchor,
      },
      text,
    );
  }

  // An arrow between two places of the picture; nothing where it would be too short to see.
  arrow(a, b, c, d, attributes) {
    const [x1, y1, x2, y2] = [this.x(a), this.y(b), this.x(c), this.y(d)];
    return arrowBetween(x1, y1, x2, y2, attributes);
  }

  // What moves is drawn anew; the text alternative follows.
  move() {
    if (!this.box) return;
    this.clear();
    if (this.options.moving) this.options.moving(this);
    if (this.options.label) this.svg.setAttribute("aria-label", this.options.label());
  }

  clear() {
    if (this.moved) this.moved.remove();
    this.moved = draw("g", {});
    this.svg.append(this.moved);
  }

  // Add to the part that moves; clipped to the axes unless it is text.
  put(...nodes) {
    this.moved.append(...nodes.flat().filter(Boolean));
  }

  clipped(...nodes) {
    this.moved.append(draw("g", { "clip-path": `url(#${this.clip})` }, nodes));
  }
}

function arrowBetween(x1, y1, x2, y2, attributes) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (!(length > 4)) return null;
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const head = Math.min(9, length * 0.6);
  const [bx, by] = [x2 - ux * head, y2 - uy * head];
  const wing = head * 0.45;
  const tip = `M${x2} ${y2}L${bx - uy * wing} ${by + ux * wing}L${bx + uy * wing} ${by - ux * wing}Z`;
  return draw(
    "g",
    attributes,
    draw("line", { x1, y1, x2: bx, y2: by }),
    draw("path", { d: tip, class: "head" }),
  );
}

// A screen of the page: a heading, a lead, and room for what it shows.
function screen(id, title, lead) {
  const heading = el("h2", { id: `${id}-title` }, title);
  const root = el(
    "section",
    { id, class: "screen", "aria-labelledby": `${id}-title` },
    el("div", { class: "text" }, heading, lead ? el("p", {}, lead) : null),
  );
  document.getElementById("screens").append(root);
  return root;
}

function pair(root, ...children) {
  const found = el("div", { class: "pair" }, children);
  root.append(found);
  return found;
}

// What lines of a kind stand for: pairs of their class and their name.
function keyOf(pairs) {
  const sample = (kind) =>
    draw(
      "svg",
      { width: 26, height: 10, viewBox: "0 0 26 10", "aria-hidden": "true" },
      draw("path", { d: "M1 5H25", class: kind }),
    );
  return el(
    "p",
    { class: "key" },
    pairs.map(([kind, name]) => el("span", {}, sample(kind), ` ${name}`)),
  );
}

// A table of lines, each a name and values; a head where it has one.
function table(head, rows, attributes = {}) {
  return el(
    "table",
    attributes,
    head
      ? el(
          "thead",
          {},
          el(
            "tr",
            {},
            head.map((t) => el("th", { scope: "col" }, t)),
          ),
        )
      : null,
    el(
      "tbody",
      {},
      rows.map(([name, ...values]) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, name),
          values.map((v) => el("td", {}, v)),
        ),
      ),
    ),
  );
}
