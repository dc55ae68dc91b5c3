import type { Source } from '../backend/types';

function files(source: Source | null | undefined): string {
  return JSON.stringify([source?.folder, source?.train, source?.validation, source?.test].map((path) => path ?? null));
}

/** Whether two data sets are read from the same files. */
export function sameFiles(one: Source | null | undefined, other: Source | null | undefined): boolean {
  return files(one) === files(other);
}
