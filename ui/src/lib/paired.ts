/** What a paired test of two runs rests on, number by number. The numbers are the engine's. */
import type { PairTest } from '../backend/types';
import type { Words } from '../words';
import { lookup } from '../words/lookup';
import type { Format } from './format';

/** The measure that was tested: the main metric, or else the mean score of an example. */
export function measure(test: PairTest, words: Words): string {
  return test.metric === 'score' ? words.compare.meanScore : lookup(words.metrics, test.metric);
}

/** Names and values; nothing is told of runs that were not asked the same. */
export function paired(test: PairTest, a: string, b: string, words: Words, format: Format): [string, string][] {
  const c = words.compare;
  if (test.examples === 0) return [];
  return [
    [words.results.measure, measure(test, words)],
    [c.difference(b, a), format.exact(test.difference)],
    [c.interval, test.interval.map(format.exact).join(' – ')],
    [c.luck, format.exact(test.p)],
    [words.results.support, format.whole(test.examples)],
    [c.betterOn(a), format.whole(test.only_a)],
    [c.betterOn(b), format.whole(test.only_b)],
    [c.level, format.whole(test.examples - test.only_a - test.only_b)],
  ];
}
