/** What the settings of a recipe are called, and what they may be. */
import type { Words } from '../words';

/** Settings that are one of a few words; what the engine calls them. */
export const CHOICES: Readonly<Record<string, readonly string[]>> = {
  precision: ['f32', 'f16', 'bf16', 'q8', 'q4', 'file'],
  pool: ['mean', 'rare', 'last'],
  cut: ['words', 'characters'],
  'train.decay': ['constant', 'linear', 'cosine'],
};

/** The name of a setting, and what it does; of one that is not known, its key. */
export function explained(key: string, words: Words): { name: string; what: string } {
  // a prompt for each language of data sets
  const [whole, language] = key.startsWith('template.') ? ['template', key.slice('template.'.length)] : [key, ''];
  const known = (words.recipe as Record<string, { name: string; what: string } | undefined>)[whole];
  if (!known) return { name: key, what: '' };
  return language === '' ? known : { ...known, name: `${known.name} (${language})` };
}

/** Settings as they are passed on, `key=value`, for somebody to read. */
export function spelled(settings: readonly string[], words: Words): string {
  return settings
    .map((setting) => {
      const [key = '', value = ''] = setting.split('=', 2);
      return `${explained(key, words).name} ${value}`;
    })
    .join(', ');
}
