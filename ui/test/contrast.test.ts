import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const STYLE = readFileSync('src/style.css', 'utf8');
/** Colours that texts have, and grounds that they may stand on: any on any, so that no state of a screen is left out. */
const TEXTS = ['ink', 'ink-2', 'ink-3', 'accent', 'good', 'warn', 'bad'];
const GROUNDS = ['ground', 'surface', 'sunken', 'hover', 'accent-soft', 'good-soft', 'warn-soft', 'bad-soft', 'mark'];

function tokens(selector: string): Record<string, string> {
  const from = STYLE.indexOf(`${selector} {`);
  const block = STYLE.slice(from, STYLE.indexOf('\n}', from));
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1] ?? '', m[2] ?? '']));
}

const light = tokens(':root');
const themes = { light, dark: { ...light, ...tokens(":root[data-theme='dark']") } };

/** Relative luminance, as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
    const c = parseInt(colour.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

describe('colours', () => {
  it('reach the contrast of AA, every text on every ground, in both themes', () => {
    expect(contrast('#ffffff', '#000000')).toBeCloseTo(21, 5);
    for (const [theme, colours] of Object.entries(themes)) {
      for (const text of TEXTS)
        for (const ground of GROUNDS) expect(contrast(colours[text] ?? '', colours[ground] ?? ''), `${text} on ${ground}, ${theme}`).toBeGreaterThanOrEqual(4.5);
      expect(contrast(colours['accent-ink'] ?? '', colours['accent'] ?? ''), theme).toBeGreaterThanOrEqual(4.5);
      // what is no text: the edge of a field, the tick of a box
      for (const ground of ['ground', 'surface']) expect(contrast(colours['line-strong'] ?? '', colours[ground] ?? ''), `an edge on ${ground}, ${theme}`).toBeGreaterThanOrEqual(3);
      expect(contrast('#ffffff', colours['tick'] ?? ''), `a tick, ${theme}`).toBeGreaterThanOrEqual(3);
    }
  });

  it('of screens and parts are those of the design system', () => {
    // but for the tints behind entities, one a type
    for (const room of ['screens', 'parts', '.'])
      for (const file of readdirSync(join('src', room)).filter((name) => name.endsWith('.svelte'))) {
        const style = readFileSync(join('src', room, file), 'utf8').split('<style>')[1] ?? '';
        expect(style.match(/#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\((?!var\()/g) ?? [], file).toEqual([]);
        const text = [...style.matchAll(/(?:^|[\s;])color: ([^;]+);/g)].map((m) => m[1] ?? '');
        for (const colour of text) expect([...TEXTS, 'accent-ink'].map((name) => `var(--${name})`).concat('inherit', 'currentColor', 'transparent'), `${file}: ${colour}`).toContain(colour);
      }
  });
});
