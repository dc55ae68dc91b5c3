/**
 * What the engine says, as the window says it. The engine also speaks to people at a command line and names flags and
 * commands in its advice; here the same advice names what there is in the window, in the window's language.
 */
import type { Words } from '../words';

type Advice = keyof Words['advice'];

/** What is said at a command line, what stands in its place, and what is advised instead. The first that fits counts for its piece. */
const SAID: readonly (readonly [RegExp, string, Advice?])[] = [
  // settings are the same words everywhere
  [/--set (\S+=\S+|\S+:)/g, '$1'],
  [/ \(--set [^)]*\)/g, '', 'settings'],
  // choices that Start offers
  [/(;|,) (or )?(use|train with) --method completion/g, '', 'method'],
  [/(;|,) use --device cpu, or update the driver and run `lapidary devices --check`/g, '', 'deviceOrDriver'],
  [/; `lapidary devices` lists what is/g, '', 'device'],
  [/; choose another with --device/g, '', 'device'],
  [/; name a file with --train, or a folder with --data/g, '', 'data'],
  [/; name one with --(train|validation|test)/g, '', 'data'],
  // which column is which, and the database that queries are about
  [/: say which one with --columns \S+/g, '', 'columns'],
  [/; name the script of the tables with --schema, and the database or the script that fills it with --database/g, '', 'database'],
  [/, or say which database with --schema/g, '', 'database'],
  // models
  [/; get it with `lapidary models get [^`]*`/g, '', 'model'],
  [/; `lapidary models list` shows the catalogue/g, '', 'model'],
  // what the window sees to by itself
  [/; train with --edited to heed them/g, ''],
  [/; leave --edited out, or see `lapidary data edit`/g, ''],
  [/ with --(out|home)\b/g, ''],
  [/; use `lapidary calibrate` first/g, ''],
  [/; calibrate it for a lower --accuracy/g, ''],
];

export function wording(message: string, words: Words): string {
  const advice = new Set<Advice>();
  let text = message;
  for (const [said, instead, advised] of SAID) {
    const before = text;
    text = text.replace(said, instead);
    if (text !== before && advised !== undefined) advice.add(advised);
  }
  if (advice.size === 0) return text;
  const end = /[.!?…]$/.test(text) ? '' : '.';
  return [text + end, ...[...advice].map((a) => words.advice[a])].join(' ');
}
