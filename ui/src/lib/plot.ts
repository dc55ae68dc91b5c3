/**
 * Where things stand in a figure, read off the drawing as a reader does: the scale from the numbers at the
 * lower axis, the cells of a matrix from the squares themselves. `null` where the drawing is not as expected;
 * the figure is then shown without a reading layer.
 */
import type { FigureData } from '../backend/types';

export interface Axes {
  kind: 'axes';
  left: number;
  right: number;
  top: number;
  bottom: number;
  /** Values at `left` and `right`. */
  x: [number, number];
}

export interface Square {
  /** Numbers of the labels, wherever they stand. */
  row: number;
  column: number;
  count: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Cells {
  kind: 'cells';
  squares: Square[];
}

export type Plot = Axes | Cells;

function number(element: Element, name: string): number {
  return Number(element.getAttribute(name));
}

/** Both ends of a straight line of two points. */
function line(element: Element): [number, number, number, number] | null {
  const [a, b, c, d, more] = (element.getAttribute('points') ?? '').trim().split(/[\s,]+/).map(Number);
  if (a === undefined || b === undefined || c === undefined || d === undefined || more !== undefined) return null;
  return [a, b, c, d];
}

function axes(svg: Element): Axes | null {
  const lines = [...svg.querySelectorAll('polyline')].map(line).filter((l) => l !== null);
  const level = lines.filter(([x1, y1, x2, y2]) => y1 === y2 && x2 > x1);
  // the lowest of the longest level lines is the axis
  const longest = Math.max(...level.map(([x1, , x2]) => x2 - x1));
  const axis = level.filter(([x1, , x2]) => x2 - x1 === longest).sort((a, b) => b[1] - a[1])[0];
  if (!axis) return null;
  const [left, bottom, right] = axis;
  // its ticks hang from it, and each has its number below
  const ticks = lines.filter(([x1, y1, x2, y2]) => x1 === x2 && y1 === bottom && y2 > bottom).map(([x]) => x);
  const marks = [...svg.querySelectorAll('text')].flatMap((text) => {
    const digits = text.textContent.replace(/[\s.,'\u00a0\u202f]/g, '');
    const x = number(text, 'x');
    return number(text, 'y') > bottom && ticks.includes(x) && /^\d+$/.test(digits) ? [{ x, value: Number(digits) }] : [];
  });
  const [first, last] = [marks[0], marks.at(-1)];
  if (!first || !last || first.x === last.x) return null;
  const scale = (last.value - first.value) / (last.x - first.x);
  const at = (x: number): number => first.value + (x - first.x) * scale;
  const heights = level.filter(([x1, , x2]) => x1 === left && x2 === right).map(([, y]) => y);
  return { kind: 'axes', left, right, bottom, top: Math.min(...heights), x: [at(left), at(right)] };
}

function cells(svg: Element, labels: string[], counts: number[][], order: number[]): Cells | null {
  // answers that are no label stand in a last column
  const columns = [...order, labels.length];
  const filled = order.flatMap((row) => columns.flatMap((column) => ((counts[row]?.[column] ?? 0) > 0 ? [{ row, column, count: counts[row]?.[column] ?? 0 }] : [])));
  const drawn = [...svg.querySelectorAll('rect')].slice(0, filled.length);
  const squares = filled.flatMap((cell, i): Square[] => {
    const rect = drawn[i];
    // each square is followed by its number
    if (rect?.nextElementSibling?.textContent !== String(cell.count)) return [];
    return [{ ...cell, x: number(rect, 'x'), y: number(rect, 'y'), width: number(rect, 'width'), height: number(rect, 'height') }];
  });
  return squares.length > 0 && squares.length === filled.length ? { kind: 'cells', squares } : null;
}

export function plot(text: string, data: FigureData): Plot | null {
  const svg = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  if (data.kind === 'loss' || data.kind === 'series' || data.kind === 'curves') return axes(svg);
  if (data.kind === 'confusion') return cells(svg, data.labels, data.counts, data.order ?? data.labels.map((_, i) => i));
  return null;
}
