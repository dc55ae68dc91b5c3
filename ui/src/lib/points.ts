/** Points of a drawing, in its own units: which one is meant, which one is next, which ones are drawn around. */
import type { Pointer } from '../backend/types';

export interface Point {
  x: number;
  y: number;
}

/** Place of the nearest point that is no farther than `reach`. */
export function nearest(points: Point[], to: Point, reach: number): number | null {
  let best: number | null = null;
  let least = reach;
  points.forEach((p, i) => {
    const distance = Math.hypot(p.x - to.x, p.y - to.y);
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

/** Place of the point or cell of a drawing that is meant by a place in it. */
export function meant({ along, points }: Pointer, to: Point, reach: number): number | null {
  if (along === 'nearest') return nearest(points, to, reach);
  if (along === 'x') return nearest(points.map((p) => ({ x: p.x, y: 0 })), { x: to.x, y: 0 }, Infinity);
  const found = points.findLastIndex((p) => to.x >= p.x && to.x <= p.x + (p.width ?? 0) && to.y >= p.y && to.y <= p.y + (p.height ?? 0));
  return found < 0 ? null : found;
}

/** Place of the point that lies next in a direction, those straight ahead first; the same one if there is none. */
export function nextPoint(points: Point[], from: number, [right, down]: [number, number]): number {
  const start = points[from];
  if (!start) return from;
  let [best, least] = [from, Infinity];
  points.forEach((p, i) => {
    const along = (p.x - start.x) * right + (p.y - start.y) * down;
    const aside = Math.abs((p.x - start.x) * down) + Math.abs((p.y - start.y) * right);
    const cost = along + 2 * aside;
    if (along > 0 && cost < least) [best, least] = [i, cost];
  });
  return best;
}

/** Does a closed line go around a point? */
export function inside(line: Point[], point: Point): boolean {
  let within = false;
  line.forEach((a, i) => {
    const b = line[(i + 1) % line.length];
    if (!b || a.y > point.y === b.y > point.y) return;
    if (point.x < ((b.x - a.x) * (point.y - a.y)) / (b.y - a.y) + a.x) within = !within;
  });
  return within;
}
