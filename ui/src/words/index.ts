/** All the words of the window: one catalogue a language, held to one shape by the compiler. */
import type { Language } from '../backend/types';
import { en } from './en';
import { it } from './it';

/** The shape of a catalogue: texts, and functions that make a text. */
type Shape<T> = { readonly [K in keyof T]: T[K] extends string ? string : T[K] extends (...args: infer A) => string ? (...args: A) => string : Shape<T[K]> };

export type Words = Shape<typeof en>;

export const words: Record<Language, Words> = { en, it };
