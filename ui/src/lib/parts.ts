/** Which parts a data set lacks that a result is measured on. */
import type { DataSummary } from '../backend/types';

export type Lacking = 'validation' | 'test';

/** Both of a set of one part, whichever that is called: it is learnt from. */
export function lacking({ splits }: DataSummary): Lacking[] {
  if (Object.keys(splits).length === 1) return ['validation', 'test'];
  return (['validation', 'test'] as const).filter((part) => splits[part] === undefined);
}

/** By which words it is said what a set lacks. */
export function lackingName([first, second]: readonly Lacking[]): Lacking | 'both' | null {
  return second ? 'both' : (first ?? null);
}
