/** What was opened in a figure, compared and told. */
import type { Opened } from '../backend/types';
import type { Words } from '../words';
import type { Format } from './format';
import { FATES } from './mistakes';

/** Is it the same that was opened? Both come from figures, which always write it alike. */
export function same(a: Opened | null | undefined, b: Opened | null | undefined): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

/** Which answers are behind it, in a few words. */
export function told({ expected, answer, index, probability, mistake }: Opened, words: Words['results'], format: Format): string {
  if (probability) {
    const { from, to, calibrated } = probability;
    return words.range(format.percent(from), to === undefined ? null : format.percent(to), calibrated === true);
  }
  if (index !== undefined) return words.oneAnswer;
  if (mistake) return `${mistake.kind ? words.fates[FATES[mistake.kind]] : words.anyMistake} · ${mistake.type ?? words.allTypes}`;
  return words.filtered(expected ?? '', answer === '' ? words.noLabel : (answer ?? ''));
}
