/** Where the cells of a matrix stand in its drawing, by what the engine says of its data area. */
import type { Figure } from '../backend/types';

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

/** The cells that are not empty; none of any other figure. */
export function squares({ plot, data }: Figure): Square[] {
  if (plot?.kind !== 'cells' || data.kind !== 'confusion') return [];
  const { left, top, cell, rows, gap } = plot;
  // answers that are no label stand apart in a last column
  const columns = [...data.order, data.labels.length].slice(0, plot.columns);
  return data.order.flatMap((row, r) =>
    columns.flatMap((column, c): Square[] => {
      const count = data.counts[row]?.[column] ?? 0;
      return count === 0 ? [] : [{ row, column, count, x: left + c * cell + (c === rows ? gap : 0), y: top + r * cell, width: cell, height: cell }];
    }),
  );
}
