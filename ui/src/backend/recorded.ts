/**
 * Real runs, as `tests/examples/record.rs` writes them into `recording/`: a file for each, by the name of the run. A task whose run is
 * not there is none the worse for it, but cannot be played.
 */
import type { Answered, Failure, Figure, Language, Prediction, QueryResult, Run, RunResult, Setting, TrainEvent } from './types';

export interface Recording extends Omit<Run, 'result'> {
  result: RunResult;
  /** Of the recipe of its task. */
  settings: Setting[];
  events: TrainEvent[];
  predictions: Omit<Prediction, 'index'>[];
  /** What both models answered to the first texts of the test. */
  asked: Answered[];
  /** What each query finds, of its first rows, or why it finds nothing. */
  queries: Record<string, QueryResult | Failure>;
  figures: Record<string, Figure>;
  /** The loss curve as it stood after some steps. */
  stages: { step: number; figure: Figure }[];
  /** The report. */
  page: string;
}

/** The runs of each task, the one first that `auto` stands for. */
const RUNS: Readonly<Record<string, readonly string[]>> = { intent: ['head', 'completion'], entities: ['entities'], sql: ['sql'], hashtags: ['hashtags'] };

const FILES = import.meta.glob<unknown>('./recording/*.json', { eager: true, import: 'default' });

/** Those that are there, by task. */
export function recorded(task: string): string[] {
  return (RUNS[task] ?? []).filter((name) => `./recording/${name}.json` in FILES);
}

/** Names of all tasks that have one. */
export const RECORDED: readonly string[] = Object.keys(RUNS).filter((task) => recorded(task).length > 0);

const read = new Map<string, Recording>();

/** A run as it is told in a language. What it gives is shared: whoever changes it takes a copy. */
export function recording(name: string, language: Language): Recording {
  const key = `${name} ${language}`;
  const known = read.get(key);
  if (known) return known;
  const whole = told(FILES[`./recording/${name}.json`], language) as Recording;
  const page = Object.entries(whole.figures).reduce((html, [figure, { svg }]) => html.replace(`<!--${figure}-->`, () => svg), whole.page);
  const one = { ...whole, page, events: (whole.events as (TrainEvent | Steps)[]).flatMap(apart) };
  read.set(key, one);
  return one;
}

/** What stands in both languages, in one of them. */
function told(value: unknown, language: Language): unknown {
  if (Array.isArray(value)) return value.map((one) => told(one, language));
  if (typeof value !== 'object' || value === null) return value;
  if ('pieces' in value) return (value.pieces as unknown[]).map((one) => told(one, language)).join('');
  if ('spoken' in value) return (value.spoken as Record<Language, unknown>)[language];
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, told(one, language)]));
}

/** Steps that follow each other, with a list in place of each value. */
interface Steps {
  type: 'steps';
  step: number[];
  [key: string]: unknown;
}

function apart(event: TrainEvent | Steps): TrainEvent[] {
  if (event.type !== 'steps') return [event];
  const lists = Object.entries(event).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  return event.step.map((_, i) => ({ type: 'step', ...Object.fromEntries(lists.map(([key, list]) => [key, list[i]])) }) as TrainEvent);
}
