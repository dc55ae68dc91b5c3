/** What an answer did with each part of what was expected, for a reader. Scores are the engine's. */
import type { MistakeKind, Span } from '../backend/types';

export type Fate = 'hit' | 'missed' | 'invented' | 'boundary' | 'type';

/** What the engine's kinds of mistakes are called here. */
export const FATES: Record<MistakeKind, Fate> = { missed: 'missed', invented: 'invented', wrong_type: 'type', wrong_boundary: 'boundary' };

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

/** Characters that two spans of one type have in common. */
function shared(a: Span, b: Span): number {
  return a.type === b.type ? Math.min(a.end, b.end) - Math.max(a.start, b.start) : 0;
}

/** What became of each expected span, and what each answered one is; paired as the engine pairs them. */
export function fates(expected: readonly Span[], answered: readonly Span[]): Map<Span, Fate> {
  const same = (a: Span, b: Span): boolean => a.start === b.start && a.end === b.end;
  const found = new Map<Span, Fate>();
  const pair = (fate: Fate, fits: (one: Span, other: Span) => boolean): void => {
    for (const one of expected) {
      const other = found.has(one) ? undefined : answered.find((s) => !found.has(s) && fits(one, s));
      if (other) found.set(one, fate).set(other, fate);
    }
  };
  // exact ones first, so that a neighbour does not take their place
  pair('hit', (one, other) => same(one, other) && one.type === other.type);
  pair('type', same);
  const near = expected.flatMap((one) => answered.map((other) => ({ one, other, by: shared(one, other) }))).filter((p) => p.by > 0);
  for (const { one, other } of near.sort((a, b) => b.by - a.by)) if (!found.has(one) && !found.has(other)) found.set(one, 'boundary').set(other, 'boundary');
  for (const span of expected) if (!found.has(span)) found.set(span, 'missed');
  for (const span of answered) if (!found.has(span)) found.set(span, 'invented');
  return found;
}

/** Each expected span, then each answered one that stands for none of them, in the order of the text. */
export function judge(expected: readonly Span[], answered: readonly Span[]): Judged[] {
  const found = fates(expected, answered);
  const judged = (span: Span): Judged => ({ span, fate: found.get(span) ?? 'missed' });
  const invented = answered.filter((span) => found.get(span) === 'invented');
  return [...expected, ...invented].map(judged).sort((a, b) => a.span.start - b.span.start);
}

/** A hashtag without what never matters, as the engine compares them (`tasks::score::tags::normal`). */
function normal(tag: string): string {
  return tag
    .normalize('NFD')
    .replaceAll(/[^\p{Alphabetic}\p{N}]/gu, '')
    .toLowerCase();
}

/** Hashtags of both as the engine counts them: each once, in its first spelling, whatever its case and accents. */
export function tagFates(expected: string, answered: string | null): { tag: string; fate: Fate }[] {
  const list = (text: string): Map<string, string> => {
    const tags = new Map<string, string>();
    for (const tag of text.split(/\s+/)) {
      const name = normal(tag);
      if (name !== '' && !tags.has(name)) tags.set(name, tag);
    }
    return tags;
  };
  const [wanted, given] = [list(expected), list(answered ?? '')];
  const judged = (tag: string, fate: Fate): { tag: string; fate: Fate } => ({ tag, fate });
  const invented = [...given].filter(([name]) => !wanted.has(name)).map(([, tag]) => judged(tag, 'invented'));
  return [...[...wanted].map(([name, tag]) => judged(tag, given.has(name) ? 'hit' : 'missed')), ...invented];
}
