/** The double in a browser, set up by the address: `?first&language=it&theme=dark&pace=20&rows=1000000&cut=30&fail=5&lose=5&tight`. */
import { Double } from './double';
import type { Language } from './types';

export function fromAddress(search: string): Double {
  const query = new URLSearchParams(search);
  const language = query.get('language');
  const theme = query.get('theme');
  const number = (name: string): number | undefined => (query.has(name) ? Number(query.get(name)) : undefined);
  const pace = number('pace');
  const rows = number('rows');
  const cutOffAt = number('cut');
  const failAt = number('fail');
  const loseAt = number('lose');
  return new Double({
    first: query.has('first'),
    tight: query.has('tight'),
    ...(pace === undefined ? {} : { pace }),
    ...(rows === undefined ? {} : { rows }),
    ...(cutOffAt === undefined ? {} : { cutOffAt }),
    ...(failAt === undefined ? {} : { failAt }),
    ...(loseAt === undefined ? {} : { loseAt }),
    settings: {
      ...(language === null ? {} : { language: language as Language }),
      ...(theme === null ? {} : { theme: theme }),
    },
  });
}
