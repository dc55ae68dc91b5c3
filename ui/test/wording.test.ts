import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inside, nearest, nextPoint } from '../src/lib/points';
import { noSuchFigure, wording } from '../src/lib/wording';
import { words } from '../src/words';

const ROOMS = ['lab', 'train', 'tasks', 'data', 'gemma', 'report'];

/** A flag or a command of the command line, in quotes or not. */
const FLAGGED = /(^|[ (`])--[a-z]|\blapidary [a-z]+/;

/** Commands that are written down for somebody to repeat or to type on another machine, what is said before there is a window, and what a report says or is drawn with. */
const FOR_THE_COMMAND_LINE = [/^lapidary (train|eval|\{name\}) --/, /name a row as `lapidary data check` does/, /indica una riga come fa `lapidary data check`/, /with --home DIR/, /con --home CARTELLA/, /^--skip-bad-rows$/, /^--(edited|trial)$/, /^ --[a-z-]+ \{/, /lapidary predict --(abstain|calibrated)/, /`lapidary serve`/, / (with|con) --listen\b/, /^\s*:root\{--/, /^--share:/];

/** Texts in Rust that name a flag or a command of the command line, tests left out. */
function flagged(): string[] {
  const found = ROOMS.flatMap((room) => {
    const folder = join('..', 'crates', room, 'src');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.rs') && !file.includes('tests'))
      .flatMap((file) => {
        const code = (readFileSync(join(folder, file), 'utf8').split('#[cfg(test)]')[0] ?? '').replace(/^\s*\/\/.*$/gm, '').replaceAll(`'"'`, '');
        return [...code.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map((m) => (m[1] ?? '').replace(/\\\n\s*/g, '').replaceAll('\\"', '"'));
      });
  });
  return found.filter((text) => FLAGGED.test(text) && !FOR_THE_COMMAND_LINE.some((known) => known.test(text)));
}

describe('what the engine says', () => {
  it('names no flag and no command in the window, whatever it is', () => {
    const texts = flagged();
    expect(texts.length).toBeGreaterThan(24);
    expect(texts.some((text) => text.includes('go on with it: lapidary resume'))).toBe(true);
    for (const text of texts) {
      // what stands in braces is filled in: a name, a number
      const message = text.replace(/\{[^}]*\}/g, 'x');
      for (const language of ['en', 'it'] as const) expect(wording(message, words[language]), message).not.toMatch(FLAGGED);
    }
  });

  it('advises what there is in the window, in its language', () => {
    const said = 'mine.csv:1: no column looks like the label; the columns are a, b: say which one with --columns label=NAME';
    expect(wording(said, words.en)).toBe('mine.csv:1: no column looks like the label; the columns are a, b. Say on Data which column holds what.');
    expect(wording(said, words.it)).toMatch(/a, b\. Indica in Dati/);
    const detto = 'mine.csv:1: nessuna colonna sembra avere il ruolo label; le colonne sono a, b: indica quale con --columns label=NOME';
    expect(wording(detto, words.it)).toBe('mine.csv:1: nessuna colonna sembra avere il ruolo label; le colonne sono a, b. Indica in Dati quale colonna contiene che cosa.');
    expect(wording('--set epoch=x: there is no such setting', words.en)).toBe('epoch=x: there is no such setting');
    // a command is advised without quotes, too, with the run or the data that it is about
    expect(wording('runs/a: is a run that has not ended; wait for it, or go on with it: lapidary resume "runs/a b"', words.en)).toBe(
      'runs/a: is a run that has not ended; wait for it, or go on with it. Go on is on Train, above the run.',
    );
    expect(wording('runs/a è finita; lapidary report ne scrive il rapporto', words.it)).toBe(`runs/a è finita. ${words.it.advice.report}`);
    const no = 'runs/a has no checkpoint to go on from (it was interrupted before its first one); train again: lapidary train --task intent --data mine';
    expect(wording(no, words.en)).toMatch(/train again$/);
    expect(wording('the disk is full', words.it)).toBe('the disk is full');
  });
});

describe('what a check finds', () => {
  it('has words in both languages, whatever its kind', () => {
    const folder = join('..', 'crates', 'data', 'src', 'check');
    const code = readdirSync(folder)
      .filter((file) => file.endsWith('.rs') && file !== 'tests.rs')
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
    // a kind is a name in quotes: of several words, or the first that `found` or a pair is given
    const kinds = new Set([...code.matchAll(/"([a-z]+(?:_[a-z]+)+)"/g), ...code.matchAll(/(?:found|Finding::of)\(\s*"([a-z]+)"/g)].map((m) => m[1] ?? ''));
    for (const known of ['no_rows', 'sql_unscored', 'suspicious_label', 'spelling', 'empty_text']) expect([...kinds]).toContain(known);
    for (const kind of [...kinds, 'contradiction', 'leakage', 'duplicate'])
      for (const language of ['en', 'it'] as const) {
        const { kinds: said, kindNames } = words[language].data;
        expect(said, `${kind} in ${language}`).toHaveProperty(kind);
        expect(kindNames, `${kind} in ${language}`).toHaveProperty(kind);
      }
  });
});

describe('a figure that a run has not got', () => {
  it('is known by what the engine says of it, and nothing else is taken for it', () => {
    const source = readFileSync(join('..', 'crates', 'lab', 'src', 'view.rs'), 'utf8');
    for (const said of ['{} has no figure `{name}`', '{} non ha una figura `{name}`']) {
      expect(source).toContain(`"${said}"`);
      expect(noSuchFigure(said)).toBe(true);
    }
    expect(noSuchFigure('result.json: the disk cannot be read')).toBe(false);
  });
});

describe('points', () => {
  const points = [{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 10, y: 10 }, { x: 40, y: 5 }];

  it('are met within reach, and walked in a direction', () => {
    expect(nearest(points, { x: 9, y: 1 }, 5)).toBe(1);
    expect(nearest(points, { x: 25, y: 25 }, 5)).toBeNull();
    expect(nextPoint(points, 0, [1, 0])).toBe(1);
    expect(nextPoint(points, 1, [0, 1])).toBe(2);
    expect(nextPoint(points, 3, [1, 0])).toBe(3);
  });

  it('are drawn around', () => {
    const loop = [{ x: -1, y: -1 }, { x: 12, y: -1 }, { x: 12, y: 5 }, { x: -1, y: 5 }];
    expect(points.map((p) => inside(loop, p))).toEqual([true, true, false, false]);
  });
});
