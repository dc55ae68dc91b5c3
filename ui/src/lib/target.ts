import type { Target } from '../backend/types';

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
}

/** A text cut at its spans; offsets count Unicode characters, and an overlapping span is passed over. */
export function pieces(text: string, spans: readonly { start: number; end: number; type: string }[]): Piece[] {
  const characters = Array.from(text);
  const out: Piece[] = [];
  let at = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start < at || span.end > characters.length || span.end <= span.start) continue;
    if (span.start > at) out.push({ text: characters.slice(at, span.start).join(''), type: null });
    out.push({ text: characters.slice(span.start, span.end).join(''), type: span.type });
    at = span.end;
  }
  if (at < characters.length) out.push({ text: characters.slice(at).join(''), type: null });
  return out;
}
