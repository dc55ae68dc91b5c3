import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RECORDED, recorded, recording } from '../src/backend/recorded';
import { flat } from '../src/lib/columns';
import { CHOICES, explained, spelled } from '../src/lib/settings';
import { words } from '../src/words';

/** Names of all settings of the recipes that ship. */
function shipped(): string[] {
  const folder = join('..', 'assets', 'recipes');
  return readdirSync(folder).flatMap((file) => {
    let room = '';
    return readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .flatMap((line) => {
        const section = /^\[(.+)\]/.exec(line)?.[1];
        // what differs by method has the same names
        if (section !== undefined) room = `${section.split('.').at(-1) ?? ''}.`;
        const key = /^(\w+) *=/.exec(line)?.[1];
        return key === undefined ? [] : [room + key];
      });
  });
}

describe('the settings of a recipe', () => {
  it('have a name and an explanation in both languages', () => {
    const keys = new Set([...shipped(), ...RECORDED.flatMap((task) => recorded(task)).flatMap((name) => Object.keys(flat(recording(name, 'en').run.settings)))]);
    keys.delete('method');
    expect(keys.size).toBeGreaterThan(35);
    for (const key of keys)
      for (const language of ['en', 'it'] as const) {
        const { name, what } = explained(key, words[language]);
        expect(name, `${key} in ${language}`).not.toBe(key);
        expect(what, `${key} in ${language}`).not.toBe('');
      }
    expect(explained('template.it', words.en).name).toBe('Prompt (it)');
    expect(explained('a.newer.one', words.en)).toEqual({ name: 'a.newer.one', what: '' });
    expect(spelled(['train.batch=4', 'max_tokens=256'], words.en)).toBe('Examples at once 4, Longest example 256');
  });

  it('are chosen among what the engine knows, by words', () => {
    const places: Record<string, [string, string]> = {
      precision: ['gemma/src/packed.rs', 'Precision'],
      pool: ['gemma/src/head.rs', 'Pool'],
      cut: ['tasks/src/tagging.rs', 'Cut'],
      'train.decay': ['train/src/schedule.rs', 'Decay'],
    };
    for (const [key, choices] of Object.entries(CHOICES)) {
      const [file, name] = places[key] ?? ['', ''];
      const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(readFileSync(join('..', 'crates', file), 'utf8'))?.[1] ?? '';
      const variants = [...body.matchAll(/^ +([A-Z]\w*),/gm)].map((m) => (m[1] ?? '').toLowerCase());
      expect([...choices].sort(), key).toEqual(variants.sort());
      for (const choice of choices) for (const language of ['en', 'it'] as const) expect(words[language].choices).toHaveProperty(choice);
    }
  });
});
