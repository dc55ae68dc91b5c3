/** The devices of this machine as a table: what each is, and what was found when it was held against the processor. */
import type { Device } from '../backend/types';
import type { Words } from '../words';
import { lookup } from '../words/lookup';
import type { Format } from './format';
import { wording } from './wording';

/** A line a device; the first one names the columns. */
export function deviceLines(devices: readonly Device[], words: Words, format: Format): string[][] {
  const s = words.start;
  const known = (value: number | null, show: (value: number) => string): string => (value === null ? '–' : show(value));
  return [
    [s.device, words.models.name, s.api, s.driver, s.deviceMemory, s.half, s.parityName, s.deviceSpeed, s.parityFound],
    ...devices.map((d) => [
      d.id,
      d.name,
      d.api,
      d.driver || '–',
      known(d.memory_bytes, format.bytes),
      d.f16 ? words.data.yes : '–',
      // what others are held against agrees with itself
      d.kind === 'cpu' ? '–' : lookup(s.parity, d.parity),
      known(d.speed, format.whole),
      wording(d.detail, words) || '–',
    ]),
  ];
}
