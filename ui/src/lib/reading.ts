/** Reading a figure: the steps it knows, and what it says of one of them. */
import type { FigureData } from '../backend/types';
import type { Words } from '../words';
import type { Format } from './format';

export interface Reading {
  name: string;
  value: string;
}

/** All steps that have a value, ascending. */
export function steps(data: FigureData): number[] {
  const found: number[] = [];
  if (data.kind === 'loss') found.push(...data.training.map((p) => p[0]), ...data.validation.map((v) => v.step));
  if (data.kind === 'series') found.push(...data.points.map((p) => p[0]));
  if (data.kind === 'curves') found.push(...data.curves.flatMap((curve) => [...curve.training, ...curve.validation].map((p) => p[0])));
  return [...new Set(found)].sort((a, b) => a - b);
}

/** The values at a step, named, with all digits that mean something. */
export function readings(data: FigureData, step: number, words: Words['train'], format: Format): Reading[] {
  const at = (points: [number, number | null][]): [number, number | null] | undefined => points.find((p) => p[0] === step);
  const out: Reading[] = [];
  if (data.kind === 'loss') {
    const [training, smoothed] = [at(data.training), at(data.smoothed)];
    const validation = data.validation.find((v) => v.step === step);
    if (training) out.push({ name: words.training, value: format.exact(training[1]) });
    if (smoothed) out.push({ name: words.smoothed, value: format.exact(smoothed[1]) });
    if (validation) out.push({ name: words.validation, value: format.exact(validation.loss) });
  }
  if (data.kind === 'series') {
    const point = at(data.points);
    if (point) out.push({ name: data.name, value: `${format.exact(point[1])} ${data.unit}`.trim() });
  }
  if (data.kind === 'curves') {
    for (const curve of data.curves) {
      const [training, validation] = [at(curve.training), at(curve.validation)];
      if (training) out.push({ name: curve.name, value: format.exact(training[1]) });
      if (validation) out.push({ name: `${curve.name}, ${words.validation}`, value: format.exact(validation[1]) });
    }
  }
  return out;
}
