/** Numbers, sizes, times and dates as a reader of the language expects them. */
import type { Language } from '../backend/types';

const TAG: Record<Language, string> = { en: 'en-GB', it: 'it-IT' };
/** Short counts: en-GB would write a million as a small m. */
const COMPACT: Record<Language, string> = { en: 'en-US', it: 'it-IT' };

export interface Format {
  whole: (value: number) => string;
  /** A share from 0 to 1, as per cent with one decimal. */
  percent: (value: number) => string;
  /** A difference of two shares, as points with a sign and one decimal. */
  points: (difference: number) => string;
  /** Three significant digits; a dash where there is no number. */
  significant: (value: number | null | undefined) => string;
  /** All digits that mean something, without separators: to be read by a spreadsheet. */
  exact: (value: number | null | undefined) => string;
  bytes: (value: number) => string;
  duration: (seconds: number) => string;
  /** A duration that is only a guess, rounded to what a guess is worth. */
  about: (seconds: number) => string;
  date: (rfc3339: string) => string;
  /** Large counts, short: 268 M. */
  short: (value: number) => string;
}

function make(language: Language): Format {
  const tag = TAG[language];
  const whole = new Intl.NumberFormat(tag, { maximumFractionDigits: 0, useGrouping: true });
  const tenths = new Intl.NumberFormat(tag, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const points = new Intl.NumberFormat(tag, { minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: 'exceptZero' });
  const significant = new Intl.NumberFormat(tag, { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
  const exact = new Intl.NumberFormat(tag, { maximumSignificantDigits: 7, useGrouping: false });
  const scientific = new Intl.NumberFormat(tag, { notation: 'scientific', maximumFractionDigits: 1 });
  const decimal = new Intl.NumberFormat(tag, { maximumFractionDigits: 1 });
  const compact = new Intl.NumberFormat(COMPACT[language], { notation: 'compact', maximumFractionDigits: 0 });
  const date = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short' });
  const duration = (seconds: number): string => {
    if (!Number.isFinite(seconds)) return '–';
    const all = Math.max(0, Math.round(seconds));
    if (all < 60) return `${all} s`;
    if (all < 3600) return all < 600 && all % 60 > 0 ? `${Math.floor(all / 60)} min ${all % 60} s` : `${Math.round(all / 60)} min`;
    return `${Math.floor(all / 3600)} h ${Math.round((all % 3600) / 60)} min`;
  };
  return {
    whole: (value) => whole.format(value),
    // spaced as in figures and reports, which stand beside it
    percent: (value) => `${tenths.format(value * 100)}\u202f%`,
    points: (difference) => points.format(difference * 100),
    significant: (value) => {
      if (value === null || value === undefined || !Number.isFinite(value)) return '–';
      const small = value !== 0 && Math.abs(value) < 0.001;
      return small ? scientific.format(value) : significant.format(value);
    },
    exact: (value) => (value === null || value === undefined || !Number.isFinite(value) ? '–' : exact.format(value)),
    bytes: (value) => {
      const units = ['B', 'KB', 'MB', 'GB', 'TB'];
      let at = 0;
      let size = value;
      while (size >= 1000 && at < units.length - 1) {
        size /= 1000;
        at += 1;
      }
      return `${size >= 100 || at === 0 ? whole.format(size) : decimal.format(size)} ${units[at] ?? ''}`;
    },
    duration,
    about: (seconds) => duration(seconds < 55 ? Math.ceil(seconds / 5) * 5 : Math.round(seconds / 60) * 60),
    date: (rfc3339) => {
      const time = new Date(rfc3339);
      return Number.isNaN(time.getTime()) ? rfc3339 : date.format(time);
    },
    short: (value) => compact.format(value),
  };
}

export const formats: Record<Language, Format> = { en: make('en'), it: make('it') };
