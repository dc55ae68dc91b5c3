/**
 * The values that pass through the door (see door.ts). Most are generated from the Rust side into `generated/`;
 * here stand only those that the Rust side does not have yet, and what the window knows more sharply.
 * A number that JSON cannot write (NaN) arrives as `null`.
 */
import type { PairTest, PredictionFilter } from './generated';

export type * from './generated';

export type Theme = 'system' | 'light' | 'dark';

/** A drawing of `report::figure`. */
export interface Figure {
  svg: string;
  alt: string;
  data: FigureData;
  width: number;
  height: number;
}

/** The examples as points on a plane. */
export interface DataMap {
  figure: Figure;
  /** Behind each point, the number of its row. */
  rows: number[];
  /** Rows of the whole set. */
  of: number;
}

/** What was opened in a figure: it leaves the answers behind a cell, a point or a part of a bar. */
export type Opened = Pick<PredictionFilter, 'expected' | 'answer' | 'index' | 'probability' | 'mistake'>;

/** What stands where in a drawing, in its pixels: points, or cells with a width and a height. */
export interface Pointer {
  /** Which one is meant: the nearest in the direction of x, the nearest of all, or the cell that is pointed at, the last on top. */
  along: 'x' | 'nearest' | 'cells';
  points: { x: number; y: number; width?: number; height?: number; text: string; opens?: Opened }[];
}

export type FigureData =
  | {
      kind: 'loss';
      scale: 'log' | 'linear';
      training: [number, number | null][];
      smoothed: [number, number | null][];
      window: number;
      validation: { step: number; loss: number | null; best: boolean }[];
      best: { step: number; loss: number } | null;
      not_finite: number[];
      marks: { number: number; step: number; kind: string; message: string }[];
    }
  /** `order` is that of rows and columns, as numbers of labels; without it they stand in their own. */
  | { kind: 'confusion'; labels: string[]; counts: number[][]; order?: number[]; right: number; examples: number }
  /** Any line over steps: learning rate, gradient norm, speed, memory. */
  | { kind: 'series'; name: string; unit: string; points: [number, number | null][] }
  /** Losses of several runs. */
  | { kind: 'curves'; curves: { name: string; training: [number, number | null][]; validation: [number, number | null][] }[] }
  /** Examples: `pointer.points` says where each stands, in pixels of the drawing. */
  | { kind: 'map'; pointer: { points: { x: number; y: number; text: string }[] } }
  | { kind: 'reliability' | 'comparison' | 'other'; pointer?: Pointer; [key: string]: unknown };

/** Runs held against each other. */
export interface Comparison {
  runs: string[];
  /** For each pair: does the difference mean anything? */
  tests: PairTest[];
  /** Loss curves overlaid, where it can be drawn. */
  figure: Figure | null;
}
