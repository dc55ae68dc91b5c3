/**
 * Figures of others that stand beside one's own. None was measured here, and none on the same examples: they are shown as
 * quoted, with whose they are, and no test is made of them. Where a figure is not known (the study says of hashtags and
 * entities only that they went well) there is none.
 */
export interface Quoted {
  /** Whose it is: its name and what is known of it stand in the catalogues. */
  whose: 'study' | 'peft';
  task: string;
  metric: string;
  value: number;
}

const QUOTED: readonly Quoted[] = [
  { whose: 'study', task: 'intent', metric: 'accuracy', value: 0 },
  { whose: 'study', task: 'sql', metric: 'execution_accuracy', value: 0 },
  { whose: 'peft', task: 'sql', metric: 'exact_match', value: 0.059 },
];

export function quoted(tasks: readonly string[]): Quoted[] {
  return QUOTED.filter((q) => tasks.includes(q.task));
}
