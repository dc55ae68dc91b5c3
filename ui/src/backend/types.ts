/**
 * The values that pass through the door (see door.ts), generated from the Rust side into `generated/`, and what the window
 * knows more sharply. A number that JSON cannot write (NaN) arrives as `null`.
 */
export type * from './generated';

export type Theme = 'system' | 'light' | 'dark';
