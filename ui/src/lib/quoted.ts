/**
 * Figures of others that stand beside one's own: a data set's card quotes them, and a run keeps them. None was measured
 * here, and none on the same examples: they are shown as quoted, and no test is made of them.
 */
import type { Language, Reference, Run } from '../backend/types';
import type { Format } from './format';
import type { Words } from '../words';

export interface Quoted {
  /** Whose it is, and what is known of it, in the reader's language. */
  system: string;
  source: string;
  /** Name of the metric, as in results; empty where nobody says what was measured. */
  metric: string;
  value: number;
}

/** What the data of some runs quote, each once. */
export function quoted(runs: readonly Run[], language: Language): Quoted[] {
  const said = (of: Reference): Quoted => ({ system: of.system, source: of.source, metric: of.measure, value: of.value, ...of.translations?.[language] });
  const all = runs.flatMap((run) => run.run.data.reference ?? []).map(said);
  return all.filter((one, i) => all.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === i);
}

/** That it is quoted; and where no column can say it, what. */
export function asQuoted(of: Quoted, w: Words, format: Format): string {
  return of.metric === '' ? w.compare.quotedUnnamed(format.percent(of.value)) : w.compare.quoted;
}
