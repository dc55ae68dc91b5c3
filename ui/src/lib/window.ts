/**
 * Which rows of a long table are drawn. Browsers cap the height of an element (at about 17 million pixels
 * in the strictest), so above `CAP` the scroll bar covers the rows in proportion: one pixel of scrolling then
 * stands for more than one pixel of rows, and a million rows stay reachable.
 */
export const CAP = 8_000_000;

export interface View {
  /** First row drawn, and the one after the last. */
  first: number;
  last: number;
  /** Height of the scrolled content. */
  height: number;
  /** Where the first drawn row stands in it. */
  top: number;
}

export function view(count: number, row: number, scroll: number, port: number, spare = 8): View {
  const full = count * row;
  const height = Math.min(full, CAP);
  const reach = Math.max(height - port, 1);
  const share = Math.min(Math.max(scroll, 0) / reach, 1);
  // the pixel of the full table that stands at the upper edge of the port
  const at = full <= CAP ? Math.min(Math.max(scroll, 0), Math.max(full - port, 0)) : share * Math.max(full - port, 0);
  const first = Math.max(Math.floor(at / row) - spare, 0);
  const last = Math.min(Math.ceil((at + port) / row) + spare, count);
  return { first, last, height, top: Math.max(scroll, 0) - (at - first * row) };
}

/** Where to scroll so that a row is in view; `null` if it is. */
export function reveal(count: number, row: number, scroll: number, port: number, index: number): number | null {
  const full = count * row;
  const height = Math.min(full, CAP);
  const scale = full <= CAP ? 1 : Math.max(full - port, 1) / Math.max(height - port, 1);
  const at = scroll * scale;
  if (index * row < at) return (index * row) / scale;
  if ((index + 1) * row > at + port) return ((index + 1) * row - port) / scale;
  return null;
}
