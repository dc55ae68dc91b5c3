/** What a figure shows as a table: the numbers behind the drawing, for whoever wants them all. The first row names the columns. */
import type { FigureData } from '../backend/types';
import type { Words } from '../words';
import type { Format } from './format';
import { steps } from './reading';

type Line = readonly [number, number | null][];

export function values(data: FigureData, words: Words, format: Format): string[][] {
  const { train: t, results: r } = words;
  const lines = (named: [string, Line][]): string[][] => {
    const at = named.map(([, line]) => new Map(line));
    return [[t.stepName, ...named.map(([name]) => name)], ...steps(data).map((step) => [format.whole(step), ...at.map((line) => (line.has(step) ? format.exact(line.get(step)) : ''))])];
  };
  switch (data.kind) {
    case 'loss': {
      const validation = data.validation.map((v): [number, number | null] => [v.step, v.loss]);
      return lines([[t.training, data.training], [t.smoothed, data.smoothed], [t.validation, validation]]);
    }
    case 'series':
      return lines([[data.unit === '' ? data.name : `${data.name} (${data.unit})`, data.points]]);
    case 'curves':
      return lines(data.curves.flatMap((c): [string, Line][] => [[c.name, c.training], [`${c.name}, ${t.validation}`, c.validation]]));
    case 'confusion': {
      const { order } = data;
      const name = (i: number): string => data.labels[i] ?? '';
      // answers that are no label stand in a last column
      const columns = [...order, data.labels.length];
      return [
        [`${r.expected} ↓ ${r.answer} →`, ...order.map(name), r.noLabel],
        ...order.map((row) => [name(row), ...columns.map((column) => format.whole(data.counts[row]?.[column] ?? 0))]),
      ];
    }
    case 'map':
      return [];
    default:
      return [[r.shown], ...data.pointer.points.map((point) => [point.text])];
  }
}
