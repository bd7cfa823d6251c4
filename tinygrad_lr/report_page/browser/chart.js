// @ts-check
// A chart: two axes with round ticks and names, a static part and a part that moves.

import { draw, el } from "./elements.js";
import { shorten, formatTick } from "./format.js";

let clipCount = 0;

/**
 * @param {Point} domain
 * @param {number} about
 */
function linearTicks([low, high], about) {
  const raw = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const steps = [0.2, 0.5, 1, 2, 5, 10].map((s) => s * power);
  /** @param {number} s */
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

/**
 * @param {Point} domain
 * @param {number} about
 */
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

export class Chart {
  /**
   * @param {HTMLElement} host
   * @param {ChartOptions<Chart>} options
   */
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.clip = `clip-${(clipCount += 1)}`;
    this.width = 0;
    this.unit = 1;
    /** @type {{ left: number, right: number, top: number, bottom: number } | null} */
    this.edges = null;
    /** @type {SVGGElement | null} */
    this.moved = null;
    /** @type {SVGGElement} */
    this.back = draw("g", {});
    /** @type {SVGGElement} */
    this.front = draw("g", {});
    /** @type {SVGSVGElement} */
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

  /** The edges of the axes, in pixels; set by the first layout. */
  get box() {
    if (!this.edges) throw new Error("the chart has no size yet");
    return this.edges;
  }

  layout() {
    this.width = this.width || Math.floor(this.host.clientWidth) || 600;
    const { x, y, ratio = 0.68, least = 220 } = this.options;
    const unit = (this.unit = parseFloat(getComputedStyle(document.documentElement).fontSize) / 17);
    const height = Math.round(Math.max(least * unit, Math.min(460 * unit, this.width * ratio)));
    const yTicks = (y.log ? logTicks : linearTicks)(y.domain, height / (55 * unit));
    const longest = y.bare ? 0 : Math.max(...yTicks.map((t) => formatTick(t).length), 1);
    this.edges = {
      left: y.bare ? 6 : unit * Math.min(92, 12 + 7.6 * longest),
      right: this.width - (this.options.right || 12),
      top: (y.name ? 26 : 10) * unit,
      bottom: height - (x.bare ? 8 : 44) * unit,
    };
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.setAttribute("width", String(this.width));
    this.svg.setAttribute("height", String(height));
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
    /** @type {NodeListOf<SVGTextElement>} */
    const names = this.svg.querySelectorAll(".axis-name");
    names.forEach((name) => this.shorten(name));
    if (this.options.still) this.options.still(this);
    this.move();
  }

  /**
   * Shorten a name until it fits the width.
   * @param {SVGTextElement} name
   */
  shorten(name) {
    const full = name.textContent;
    if (full.length * 16 * this.unit < this.width) return; // measuring takes its time
    for (let n = full.length - 2; n > 3 && name.getComputedTextLength() > this.width; n -= 2) {
      name.textContent = shorten(full, n);
    }
  }

  /**
   * @param {number[]} xTicks
   * @param {number[]} yTicks
   */
  axes(xTicks, yTicks) {
    const { x, y } = this.options;
    const { left, right, bottom } = this.box;
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
            formatTick(t),
          ),
        );
      }
    }
    if (x.name) {
      found.push(
        draw(
          "text",
          { x: right, y: bottom + 37 * this.unit, class: "axis-name", "text-anchor": "end" },
          shorten(x.name, Math.floor(this.width / (7.2 * this.unit))),
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
            formatTick(t),
          ),
        );
      }
    }
    if (y.name) found.push(draw("text", { x: 0, y: 13 * this.unit, class: "axis-name" }, y.name));
    return draw("g", {}, found);
  }

  /**
   * @param {Axis} axis
   * @param {number} from
   * @param {number} to
   * @param {number} value
   */
  scale(axis, from, to, value) {
    const [low, high] = axis.domain;
    const share = axis.log
      ? Math.log(Math.max(value, 1e-300) / low) / Math.log(high / low)
      : (value - low) / (high - low);
    return from + Math.max(-20, Math.min(21, share)) * (to - from); // far, and still a number
  }

  /** @param {number} value */
  x(value) {
    return this.scale(this.options.x, this.box.left, this.box.right, value);
  }

  /** @param {number} value */
  y(value) {
    return this.scale(this.options.y, this.box.bottom, this.box.top, value);
  }

  /**
   * Return the x value at a position in pixels.
   * @param {number} place
   */
  atX(place) {
    const { domain } = this.options.x;
    const share = (place - this.box.left) / (this.box.right - this.box.left);
    return domain[0] + share * (domain[1] - domain[0]);
  }

  /**
   * @param {(number | null)[][]} points
   * @param {Attributes} attributes
   */
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

  /**
   * @param {number} a
   * @param {number} b
   * @param {number} r
   * @param {Attributes} attributes
   */
  dot(a, b, r, attributes) {
    return draw("circle", { cx: this.x(a).toFixed(1), cy: this.y(b).toFixed(1), r, ...attributes });
  }

  /**
   * Return text at a point, kept inside the chart, with a halo that separates it from lines.
   * @param {number} a
   * @param {number} b
   * @param {string} text
   * @param {{ class?: string, "text-anchor"?: string }} [attributes]
   * @param {number} [dx]
   * @param {number} [dy]
   */
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

  /**
   * Return an arrow between two points, or null if it is too short to see.
   * @param {number} a
   * @param {number} b
   * @param {number} c
   * @param {number} d
   * @param {Attributes} attributes
   */
  arrow(a, b, c, d, attributes) {
    const [x1, y1, x2, y2] = [this.x(a), this.y(b), this.x(c), this.y(d)];
    return arrowBetween(x1, y1, x2, y2, attributes);
  }

  // Redraw the part that moves, and update the text alternative.
  move() {
    if (!this.edges) return;
    this.clear();
    if (this.options.moving) this.options.moving(this);
    if (this.options.label) this.svg.setAttribute("aria-label", this.options.label() ?? "");
  }

  clear() {
    if (this.moved) this.moved.remove();
    this.moved = draw("g", {});
    this.svg.append(/** @type {SVGGElement} */ (this.moved));
  }

  /**
   * Add nodes to the part that moves. Text isn't clipped to the axes: see `clipped`.
   * @param {...(Node | Node[])} nodes
   */
  put(...nodes) {
    this.moved?.append(...nodes.flat().filter(Boolean));
  }

  /** @param {...Child} nodes */
  clipped(...nodes) {
    this.moved?.append(draw("g", { "clip-path": `url(#${this.clip})` }, nodes));
  }
}

/**
 * @param {number} x1
 * @param {number} y1
 * @param {number} x2
 * @param {number} y2
 * @param {Attributes} attributes
 */
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

/**
 * Add a section with a heading and a lead to the page.
 * @param {string} id
 * @param {string} title
 * @param {string} lead
 */
export function createScreen(id, title, lead) {
  const heading = el("h2", { id: `${id}-title` }, title);
  const root = el(
    "section",
    { id, class: "screen", "aria-labelledby": `${id}-title` },
    el("div", { class: "text" }, heading, lead ? el("p", {}, lead) : null),
  );
  /** @type {HTMLElement} */ (document.getElementById("screens")).append(root);
  return root;
}

/**
 * @param {Element} root
 * @param {...Child} children
 */
export function createPair(root, ...children) {
  const found = el("div", { class: "pair" }, children);
  root.append(found);
  return found;
}

/**
 * Return a legend of lines: pairs of their class and their name.
 * @param {[string, string][]} pairs
 */
export function createLegend(pairs) {
  /** @param {string} kind */
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

/**
 * Return a table; each row is a name and values.
 * @param {Child[] | null} head
 * @param {Child[][]} rows
 * @param {Attributes} [attributes]
 */
export function createTable(head, rows, attributes = {}) {
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
