// @ts-check
// The data of the page, which Python wrote: see report_page/schema.py.

/**
 * The payload as the panels read it. Optional entries are present where `open` or `task` says so,
 * and null among numbers (nan in Python) counts as 0 in arithmetic.
 * @typedef {Omit<Required<DataPayload>, "x_mean"> & { x_mean: number[] }} RunData
 * @typedef {Omit<Required<Payload>, "data" | "full" | "gradients" | "next" | "sizes">
 *   & { data: RunData, full: number[], gradients: number[][], next: number[][] | null,
 *   sizes: number[][] }} RunPayload
 */

/** @type {RunPayload} */
export const run = JSON.parse(
  /** @type {HTMLElement} */ (document.getElementById("run")).textContent,
);
export const data = run.data;
