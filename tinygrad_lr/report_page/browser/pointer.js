// @ts-check
// Selection of rows by pointer.

import { setState, hoverRow } from "./state.js";

/**
 * Highlight the point nearest to the pointer; a click selects it.
 * @param {HTMLElement} host
 * @param {import("./chart.js").Chart} chart
 * @param {() => ArrayLike<number>[]} points
 * @param {number} shown
 */
export function followPointer(host, chart, points, shown) {
  /**
   * @param {MouseEvent} event
   * @returns {number | null}
   */
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
  host.addEventListener("pointermove", (event) => hoverRow(nearest(event)));
  host.addEventListener("pointerleave", () => hoverRow(null));
  host.addEventListener("click", (event) => {
    const found = nearest(event);
    if (found !== null) setState({ row: found, hovered: null });
  });
}
