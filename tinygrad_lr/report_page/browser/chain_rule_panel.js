// @ts-check
// Screen 4: the chain rule at this step, for one row, with the numbers of that row.

import { chainLinks, listNumbers, norm } from "./chain_rule_links.js";
import { createScreen } from "./chart.js";
import {
  inBrackets,
  el,
  yHat,
  layerSymbol,
  m,
  part,
  partial,
  signedText,
  slope,
} from "./elements.js";
import { countNoun, columnName, formatNumber } from "./format.js";
import { localDerivative, isScaled, weightSymbol } from "./formulas.js";
import { features, layers, isLine, toOwnX, toOwnY, locateWeight, propagateRow } from "./model.js";
import { data, run } from "./run_data.js";
import {
  setState,
  gradientsNow,
  panels,
  rowNow,
  updatePanels,
  state,
  weightNow,
  weightsNow,
} from "./state.js";

export function chainRulePanel() {
  if (!run.open) return;
  const root = createScreen(
    "chain",
    "The chain",
    "The loss depends on the weights through the values between them. Each arrow has a local derivative. " +
      "The slope of the loss is their product, from right to left, summed over the rows.",
  );
  const row = el("input", {
    type: "number",
    min: 1,
    max: data.rows,
    step: 1,
    id: "row",
    onchange: (/** @type {Event & { target: HTMLInputElement }} */ event) => {
      const wanted = Number(event.target.value);
      const gaps = data.row_numbers.map((n) => Math.abs(n - wanted));
      setState({ row: gaps.indexOf(Math.min(...gaps)), hovered: null });
    },
  });
  const rowLabel = el("span", { class: "light" });
  const chain = el("div", { class: "chain", role: "list" });
  const detail = el("div", { class: "detail", "aria-live": "polite" });
  const product = el("div", { class: "product scroll" });
  root.append(
    el(
      "div",
      { class: "text picker" },
      el("label", { class: "choice" }, el("span", {}, "Row"), " ", row),
      " ",
      rowLabel,
    ),
    el("div", { class: "wide" }, chain, detail),
    el("div", { class: "wide" }, product),
  );
  for (const name of ["derivation", "graph"]) {
    const made = document.getElementById(name); // beforehand, where there is one
    if (made) root.append(made);
  }
  /** @type {number | null} */
  let opened = null;
  /** @type {Box[]} */
  const boxes = [];

  panels.push({
    update() {
      const r = rowNow();
      if (document.activeElement !== row) row.value = data.row_numbers[r];
      const parts = data.x_names
        .slice(0, 3)
        .map((n, i) => `${columnName(n, 20)} = ${formatNumber(toOwnX(data.x[r][i], i))}`);
      const target =
        run.task === "classes" ? data.labels[data.y[r]] : formatNumber(toOwnY(data.y[r]));
      rowLabel.textContent = `${parts.join(", ")}${features > 3 ? ", …" : ""}; ${columnName(data.y_name, 20)} = ${target}`;
      const nodes = chainLinks(propagateRow(weightsNow(), r), r);
      if (!boxes.length) createBoxes(nodes);
      nodes.forEach((node, k) => fillBox(node, boxes[k], k));
      detail.setAttribute("aria-live", state.playing ? "off" : "polite");
      detail.replaceChildren(...(opened === null ? [] : describeLink(nodes[opened])));
      product.replaceChildren(...productTable(r));
    },
  });

  /**
   * Create the boxes once, so that focus stays on one while the steps go by.
   * @param {ChainLink[]} nodes
   */
  function createBoxes(nodes) {
    nodes.forEach((node, k) => {
      const made = {
        button: el("button", {
          type: "button",
          onclick: () => {
            opened = opened === k ? null : k;
            updatePanels();
          },
        }),
        value: el("span", { class: "value number" }),
        back: el("span", {}),
        local: el("span", { class: "number" }),
      };
      made.button.append(el("span", { class: "symbol" }, m.math(node.symbol())), made.value);
      const gathered = m.math(slope(m.i("L"), node.by ? node.by() : node.symbol()));
      const box = el("div", { class: "node", role: "listitem" }, made.button);
      box.append(el("div", { class: "back" }, gathered, " ", made.back));
      chain.append(box);
      if (k + 1 < nodes.length) chain.append(createArrow(node, made.local));
      boxes.push(made);
    });
  }

  /**
   * @param {ChainLink} node
   * @param {Element} number
   */
  function createArrow(node, number) {
    const arrow = el("span", { class: "arrow-line", "aria-hidden": "true" });
    const local = el("span", { class: "local" }, m.math(node.local ? node.local() : null));
    return el(
      "div",
      { class: "link", role: "listitem" },
      el("div", { class: "onward" }, local, arrow, number),
      el("div", { class: "back", "aria-hidden": "true" }, "←"),
    );
  }

  /**
   * @param {ChainLink} node
   * @param {Box} made
   * @param {number} k
   */
  function fillBox(node, made, k) {
    made.button.className = opened === k ? "box open" : "box";
    made.button.setAttribute("aria-expanded", String(opened === k));
    made.button.setAttribute("aria-label", `${node.said}, ${node.value}: formula, shape, values`);
    made.value.textContent = node.value;
    made.back.replaceChildren(node.gathered);
    made.local.textContent = node.localValue ?? "";
  }

  /** @param {ChainLink} node */
  function describeLink(node) {
    return [
      el(
        "dl",
        {},
        el("dt", {}, "Formula"),
        el("dd", {}, m.math(node.formula())),
        el("dt", {}, "Shape"),
        el("dd", {}, node.shape),
        el("dt", {}, "Values"),
        el("dd", { class: "number" }, node.values),
        node.back
          ? [
              el("dt", {}, m.math(slope(m.i("L"), node.symbol()))),
              el("dd", { class: "number" }, node.back),
            ]
          : null,
      ),
    ];
  }
}

/**
 * Show the product from right to left with this row's numbers, then the sum over all rows.
 * @param {number} r
 */
function productTable(r) {
  const trace = propagateRow(weightsNow(), r);
  /** @type {[Element[], Child][]} */
  const lines = [];
  /**
   * @param {Element | Element[]} formulas
   * @param {Child} number
   */
  const push = (formulas, number) => lines.push([[formulas].flat().map((f) => m.math(f)), number]);
  const rows = run.rows_used;
  if (run.task === "regression") {
    const u = trace.output[0] - data.y[r];
    const g = (2 * u) / rows;
    push(
      m.row(
        slope(m.i("L"), m.i("u")),
        m.o("="),
        m.frac(m.row(part("mn")("2"), m.i("u")), m.i("N")),
        m.o("="),
        m.frac(m.row(part("mn")("2"), m.o("·"), inBrackets(u)), part("mn")(rows)),
      ),
      signedText(g, 4),
    );
    push(
      m.row(
        slope(m.i("L"), yHat()),
        m.o("="),
        slope(m.i("L"), m.i("u")),
        m.o("·"),
        partial(m.i("u"), yHat()),
        m.o("="),
        inBrackets(g),
        m.o("·"),
        part("mn")("1"),
      ),
      signedText(g, 4),
    );
  } else {
    const g = trace.stages[trace.stages.length - 1].dAfter;
    push(
      m.row(
        slope(m.i("L"), m.i("z")),
        m.o("="),
        m.frac(m.row(m.i("p"), m.o("−"), m.i("t")), m.i("N")),
      ),
      el("span", { class: "number" }, listNumbers(g, 4)),
    );
  }
  trace.stages.forEach((_, back) => {
    const l = layers.length - 1 - back;
    if (l === 0) return;
    const below = trace.stages[l - 1];
    push(
      m.row(
        slope(m.i("L"), layerSymbol("h", l)),
        m.o("="),
        slope(
          m.i("L"),
          l === layers.length - 1
            ? run.task === "classes"
              ? m.i("z")
              : yHat()
            : layerSymbol("h", l + 1),
        ),
        m.o("·"),
        localDerivative(l),
      ),
      el("span", { class: "number" }, `size ${formatNumber(norm(below.dAfter), 3)}`),
    );
  });
  const shown = isLine
    ? [layers[0].weight + (locateWeight(weightNow()).from < 0 ? 0 : locateWeight(weightNow()).from)]
    : [weightNow()];
  if (isLine && layers[0].bias !== null) shown.push(layers[0].bias);
  for (const index of shown) {
    const { layer, from, to } = locateWeight(index);
    const stage = trace.stages[layer];
    const arrives = stage.dBefore[to];
    const x = from < 0 ? 1 : stage.input[from];
    const name = () => weightSymbol(index);
    const through = isLine ? slope(m.i("L"), yHat()) : layerSymbol("δ", layer + 1, to + 1);
    const input =
      from < 0
        ? part("mn")("1")
        : layer === 0
          ? features === 1
            ? m.i(isScaled() && isLine ? "z" : "x")
            : m.sub(m.i("x"), part("mn")(from + 1))
          : layerSymbol("h", layer, from + 1);
    push(
      [
        m.row(m.text("this row:\u00a0"), through, m.o("·"), input),
        m.row(m.infix("="), inBrackets(arrives), m.o("·"), inBrackets(x)),
      ],
      signedText(arrives * x, 4),
    );
    push(
      m.row(
        slope(m.i("L"), name()),
        m.o("="),
        m.o("∑"),
        m.text(`\u00a0over ${countNoun(rows, "row")}`),
      ),
      el("strong", {}, signedText(gradientsNow()[index], 6)),
    );
  }
  const note = isLine
    ? null
    : el(
        "p",
        { class: "hint" },
        m.math(m.row(layerSymbol("δ", "l"))),
        " is the gradient before a unit's activation: dL/dh times the slope of the activation there.",
      );
  return [
    el(
      "table",
      { class: "numbers steps", id: "product" },
      el(
        "tbody",
        {},
        lines.map((cells) =>
          el("tr", {}, el("th", { scope: "row" }, cells[0]), el("td", {}, cells[1])),
        ),
      ),
    ),
    note,
  ].filter(Boolean);
}
