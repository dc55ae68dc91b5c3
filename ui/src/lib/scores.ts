/**
 * The scores of a result as the window shows them, whatever the task: every share that came with an interval, the
 * main one first. In files each metric is `name` with `name_ci` beside it.
 */
import type { Classification, Entities } from '../backend/types';

export interface Score {
  key: string;
  value: number;
  interval: [number, number];
}

/** What stands for the whole, by task: the first of these that is there. */
const MAIN = ['accuracy', 'execution_accuracy', 'f1', 'exact_match'];

export function scores(metrics: object | null | undefined): Score[] {
  const fields = Object.entries(metrics ?? {}) as [string, unknown][];
  const found = fields.flatMap(([name, value]): Score[] => {
    const interval = fields.find(([other]) => other === `${name}_ci`)?.[1];
    if (typeof value !== 'number' || !Array.isArray(interval)) return [];
    const [low, high] = interval as unknown[];
    return typeof low === 'number' && typeof high === 'number' ? [{ key: name, value, interval: [low, high] }] : [];
  });
  const main = MAIN.find((key) => found.some((score) => score.key === key));
  return found.sort((a, b) => Number(b.key === main) - Number(a.key === main));
}

/** The scores of a task with labels, `null` for any other. */
export function classes(metrics: object | null | undefined): Classification | null {
  return metrics && 'confusion' in metrics && 'per_class' in metrics ? (metrics as Classification) : null;
}

/** The scores by type of a task with entities, `null` for any other. */
export function types(metrics: object | null | undefined): Entities['per_type'] | null {
  return metrics && 'per_type' in metrics ? (metrics as Entities).per_type : null;
}
