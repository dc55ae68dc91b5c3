import type { Span, Target } from '../backend/types';

/** What a row should be answered with, as one line. */
export function target(value: Target): string {
  switch (value.kind) {
    case 'label':
      return value.label;
    case 'entities':
      return value.spans.map((span) => span.type).join(', ');
    case 'sql':
      return value.sql;
    case 'hashtags':
      return value.tags.join(' ');
    case 'completion':
      return value.text;
  }
}

export interface Piece {
  text: string;
  type: string | null;
  /** Where its span begins. */
  start?: number;
}

/** A text cut at its spans; offsets count Unicode characters, and an overlapping span is passed over. */
export function pieces(text: string, spans: readonly { start: number; end: number; type: string }[]): Piece[] {
  const characters = Array.from(text);
  const out: Piece[] = [];
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start < at || span.end > characters.length || span.end <= span.start) continue;
    if (span.start > at) out.push({ text: characters.slice(at, span.start).join(''), type: null });
    out.push({ text: characters.slice(span.start, span.end).join(''), type: span.type, start: span.start });
    at = span.end;
  }
  if (at < characters.length) out.push({ text: characters.slice(at).join(''), type: null });
  return out;
}

/** Hashtags as a person writes them in one line. */
export function tagsOf(line: string): string[] {
  const words = line.split(/[\s,;]+/).filter((word) => word.replaceAll('#', '') !== '');
  return [...new Set(words.map((word) => (word.startsWith('#') ? word : `#${word}`)))];
}

/**
 * Spans with one more, where a selection stands (in UTF-16 units, as the page counts them); spans that it touches
 * give way. `null` if nothing but spaces is selected.
 */
export function mark(text: string, spans: readonly Span[], from: number, to: number, type: string): Span[] | null {
  const selected = text.slice(from, to);
  const inner = selected.trim();
  if (inner === '') return null;
  const before = from + selected.indexOf(inner);
  const start = Array.from(text.slice(0, before)).length;
  const end = start + Array.from(inner).length;
  const kept = spans.filter((span) => span.end <= start || span.start >= end);
  return [...kept, { start, end, type }].sort((a, b) => a.start - b.start);
}

/** An answer of a kind with nothing in it. */
export function blank(kind: Target['kind'], label: string): Target {
  switch (kind) {
    case 'label':
      return { kind, label };
    case 'entities':
      return { kind, spans: [] };
    case 'sql':
      return { kind, sql: '' };
    case 'hashtags':
      return { kind, tags: [] };
    case 'completion':
      return { kind, text: '' };
  }
}

/** What the answers of a task are. */
export const KINDS: Readonly<Record<string, Target['kind']>> = { intent: 'label', entities: 'entities', sql: 'sql', hashtags: 'hashtags', custom: 'completion' };
