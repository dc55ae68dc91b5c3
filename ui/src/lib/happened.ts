/** What a run tells beside its steps, as tables: for whoever wants every event, and every number of it. */
import type { TrainEvent } from '../backend/types';
import type { Words } from '../words';
import { lookup } from '../words/lookup';
import type { Format } from './format';
import type { Happening } from './story.svelte';
import { wording } from './wording';

type Evaluation = Extract<TrainEvent, { type: 'evaluation' }>;
type Scored = Extract<TrainEvent, { type: 'scored' }>;

function shares(metrics: Record<string, number>, words: Words, written: (share: number) => string): string[] {
  return Object.entries(metrics).map(([key, share]) => `${lookup(words.metrics, key).toLowerCase()} ${written(share)}`);
}

/** Whose answers they are. */
export function answerer(system: string, words: Words): string {
  const own: Record<string, string> = { model: words.results.tuned, free: words.results.free, calibration: words.train.calibration };
  return own[system] ?? lookup(words.results.rivals, system);
}

/** What the answers of the run, or of something that it is held against, came to. */
export function cameTo(event: Scored, words: Words, written: (share: number) => string): string {
  const { system, examples, of, remembered } = event;
  const name = answerer(system, words);
  const asked = examples < of ? [words.results.asked(examples, of)] : [];
  return [`${name}: ${shares(event.metrics, words, written).join(', ')}`, ...asked, ...(remembered ? [words.train.remembered] : [])].join(', ');
}

/** What an event says beyond its kind and its step. */
function told(event: Happening['event'], words: Words, format: Format): string {
  const t = words.train;
  switch (event.type) {
    case 'started':
      return [t.logStarted(event.examples, format.whole(event.trainable), event.steps), lookup(words.methods, event.method), event.device].join(', ');
    case 'forecast':
      return t.logForecast(format.about(event.seconds), format.bytes(event.peak_memory_bytes));
    case 'evaluation':
      return [t.logEvaluation(format.exact(event.loss)), ...shares(event.metrics, words, format.exact), ...(event.best ? [t.best] : [])].join(', ');
    case 'scored':
      return cameTo(event, words, format.exact);
    case 'checkpoint':
      return event.path;
    case 'warning':
    case 'health':
    case 'failed':
      return wording(event.message, words);
    case 'paused':
      return event.why ? wording(t.why(event.why), words) : '';
    case 'completed':
      return [lookup(words.status, event.status), t.took(format.duration(event.seconds)), ...shares(event.metrics, words, format.exact)].join(', ');
    default:
      return '';
  }
}

/** A line an event; the first one names the columns. */
export function happened(past: readonly Happening[], words: Words, format: Format): string[][] {
  const t = words.train;
  return [[t.stepName, t.event, t.log], ...past.map(({ at, event }) => [format.whole(at), lookup(t.events, event.type), told(event, words, format)])];
}

/** A line an evaluation, with its loss and what was measured beside it; the first one names the columns. */
export function evaluated(evaluations: readonly Evaluation[], words: Words, format: Format): string[][] {
  const keys = [...new Set(evaluations.flatMap((e) => Object.keys(e.metrics)))];
  return [
    [words.train.stepName, words.train.validationLoss, ...keys.map((key) => lookup(words.metrics, key))],
    ...evaluations.map((e) => [format.whole(e.step), format.exact(e.loss), ...keys.map((key) => format.exact(e.metrics[key]))]),
  ];
}
