/** The table of Compare: for every choice and every measurement, one cell a run. Nothing is computed but "differs". */
import type { Run, RunResult } from '../backend/types';
import type { Words } from '../words';
import { lookup } from '../words/lookup';
import type { Format } from './format';
import { scores, type Score } from './scores';

export interface Column {
  key: string;
  name: string;
  cells: string[];
  number: boolean;
  /** A result, not a choice. */
  measured: boolean;
  /** Told in the details alone. */
  aside: boolean;
  differs: boolean;
  /** The run with the highest value, where higher is better and one stands out. */
  best: number | null;
}

/** Settings flattened to `train.epochs`. */
export function flat(settings: Record<string, unknown>, prefix = ''): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(settings)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) Object.assign(out, flat(value as Record<string, unknown>, `${prefix}${key}.`));
    else out[prefix + key] = Array.isArray(value) ? value.join(', ') : String(value).trim();
  }
  return out;
}

function leader(values: (number | null)[]): number | null {
  const known = values.filter((v) => v !== null);
  const top = Math.max(...known);
  return known.length > 1 && known.filter((v) => v === top).length === 1 ? values.indexOf(top) : null;
}

/** How it was trained; answers of another system were not. */
function trained(run: Run): RunResult['train'] | undefined {
  return run.run.method === 'elsewhere' ? undefined : run.result?.train;
}

export function columns(runs: readonly Run[], words: Words, format: Format): Column[] {
  const c = words.compare;
  const column = (key: string, name: string, cells: string[], more: Partial<Column> = {}): Column => ({
    key,
    name,
    cells,
    number: false,
    measured: false,
    aside: false,
    differs: new Set(cells).size > 1,
    best: null,
    ...more,
  });
  const number = (key: string, name: string, value: (run: Run) => number | null | undefined, show: (value: number) => string, higher: boolean): Column => {
    const values = runs.map((run) => value(run) ?? null);
    const cells = values.map((v) => (v === null ? '–' : show(v)));
    return column(key, name, cells, { number: true, measured: true, best: higher ? leader(values) : null });
  };
  // the main metric with its interval, then the others
  const found = runs.map((run) => scores(run.result?.metrics));
  const names = [...new Set(found.flatMap((list) => list.map((score) => score.key)))];
  const score = (run: Run, key: string): Score | undefined => found[runs.indexOf(run)]?.find((s) => s.key === key);
  const measured = names.flatMap((key, i) => {
    const value = number(key, lookup(words.metrics, key), (run) => score(run, key)?.value, format.percent, !key.endsWith('_error'));
    const interval = (run: Run): string => score(run, key)?.interval.map(format.percent).join(' – ') ?? '–';
    // beside the main metric its interval is known by its place
    const name = i === 0 ? c.interval : `${value.name}, ${c.interval}`;
    return [value, column(`${key}_ci`, name, runs.map(interval), { number: true, measured: true, aside: i > 0 })];
  });
  const settings = runs.map((run) => flat(run.run.settings));
  const keys = [...new Set(settings.flatMap((s) => Object.keys(s)))].filter((key) => key !== 'method').sort();
  return [
    ...measured,
    number('seconds', c.time, (r) => trained(r)?.seconds, format.duration, false),
    number('memory', c.memory, (r) => trained(r)?.peak_memory_bytes, format.bytes, false),
    column('method', c.method, runs.map((r) => lookup(words.methods, r.run.method))),
    column('model', c.model, runs.map((r) => r.run.model.name)),
    column('data', c.data, runs.map((r) => r.run.data.name)),
    column('evaluated', c.evaluated, runs.map((r) => (r.result ? lookup(words.splits, r.result.evaluated_on) : '–'))),
    column('seed', c.seed, runs.map((r) => (trained(r) ? String(r.run.seed) : '–')), { number: true }),
    column('device', c.device, runs.map((r) => (trained(r) ? r.run.device.name : '–'))),
    ...keys.map((key) => column(`settings.${key}`, key, settings.map((s) => s[key] ?? '–'))),
  ];
}

/** Every column as a line, a run a column: what the table shows, and what it leaves to its details. */
export function sheet(runs: readonly Run[], all: readonly Column[], words: Words): string[][] {
  return [[words.results.measure, ...runs.map((run) => run.row.name)], ...all.map((column) => [column.name, ...column.cells])];
}
