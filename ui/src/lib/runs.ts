/** What runs allow, and runs as a table that can be copied. */
import type { RunRow } from '../backend/types';
import type { Words } from '../words';
import { lookup } from '../words/lookup';
import type { Format } from './format';

/** May it be gone on with? Whatever did not come to its planned end may, from where it was last saved; another system's answers were never trained. */
export function unfinished(run: RunRow): boolean {
  return run.method !== 'elsewhere' && (run.status === 'interrupted' || run.status === 'failed' || run.status === 'stopped' || run.status === 'lost');
}

/** A line a run; the first one names the columns. */
export function runLines(runs: readonly RunRow[], words: Words, format: Format): string[][] {
  const w = words.runs;
  return [
    [w.name, w.data, w.model, w.method, w.status, w.score, w.started],
    ...runs.map((run) => [run.name, run.data, run.model, lookup(words.methods, run.method), words.status[run.status], run.accuracy === null ? '' : format.percent(run.accuracy), run.started]),
  ];
}
