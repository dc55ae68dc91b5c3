/** What an answer did with each part of what was expected, for a reader. Scores are the engine's. */
import type { Span } from '../backend/types';

export type Fate = 'hit' | 'missed' | 'invented' | 'boundary' | 'type';

export interface Judged {
  span: Span;
  fate: Fate;
}

/** Spans as the engine writes them; `null` if it is something else. */
export function spansOf(text: string | null): Span[] | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    const whole = (s: unknown): s is Span => {
      const span = s as Partial<Span> | null;
      return typeof span?.start === 'number' && typeof span.end === 'number' && typeof span.type === 'string';
    };
    return Array.isArray(value) && value.every(whole) ? value : null;
  } catch {
    return null;
  }
}

function touch(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end;
}

/** Each expected span, then each answered one that stands for none of them, in the order of the text. */
export function judge(expected: readonly Span[], answered: readonly Span[]): Judged[] {
  const same = (a: Span, b: Span): boolean => a.start === b.start && a.end === b.end;
  const used = new Set<Span>();
  const take = (fits: (s: Span) => boolean): Span | undefined => {
    const found = answered.find((s) => !used.has(s) && fits(s));
    if (found) used.add(found);
    return found;
  };
  // exact ones first, so that a neighbour does not take their place
  const fates = new Map<Span, Fate>();
  for (const span of expected) if (take((s) => same(s, span) && s.type === span.type)) fates.set(span, 'hit');
  for (const span of expected) if (!fates.has(span) && take((s) => same(s, span))) fates.set(span, 'type');
  for (const span of expected) if (!fates.has(span)) fates.set(span, take((s) => touch(s, span)) ? 'boundary' : 'missed');
  const invented = answered.filter((s) => !used.has(s)).map((span): Judged => ({ span, fate: 'invented' }));
  return [...expected.map((span): Judged => ({ span, fate: fates.get(span) ?? 'missed' })), ...invented].sort((a, b) => a.span.start - b.span.start);
}

/** Hashtags of both, compared as people read them: without regard to case. */
export function tagFates(expected: string, answered: string | null): { tag: string; fate: Fate }[] {
  const list = (text: string): string[] => text.split(/\s+/).filter((tag) => tag !== '');
  const [wanted, given] = [list(expected), list(answered ?? '')];
  const has = (tags: string[], tag: string): boolean => tags.some((t) => t.toLowerCase() === tag.toLowerCase());
  const judged = (tag: string, fate: Fate): { tag: string; fate: Fate } => ({ tag, fate });
  return [...wanted.map((tag) => judged(tag, has(given, tag) ? 'hit' : 'missed')), ...given.filter((tag) => !has(wanted, tag)).map((tag) => judged(tag, 'invented'))];
}
