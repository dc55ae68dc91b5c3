import { afterEach, describe, expect, it, vi } from 'vitest';
import { Double } from '../src/backend/double';
import { recording } from '../src/backend/recorded';
import type { Device, Figure, FigureData, Run, Span } from '../src/backend/types';
import { columns, flat, sheet } from '../src/lib/columns';
import { formats } from '../src/lib/format';
import { deviceLines } from '../src/lib/devices';
import { evaluated, happened } from '../src/lib/happened';
import { hues } from '../src/lib/hues';
import { fates, judge, spansOf, tagFates } from '../src/lib/mistakes';
import { same, told } from '../src/lib/opened';
import { paired } from '../src/lib/paired';
import { squares } from '../src/lib/plot';
import { meant } from '../src/lib/points';
import { readings, steps } from '../src/lib/reading';
import { blank, KINDS, mark, pieces, tagsOf, target } from '../src/lib/target';
import { classes, scores } from '../src/lib/scores';
import { scrolled } from '../src/lib/scrolled';
import { tsv } from '../src/lib/tsv';
import { CAP, reveal, view } from '../src/lib/window';
import { words } from '../src/words';

const head = recording('head', 'en');
const planned = head.events.find((e) => e.type === 'started')?.steps ?? 0;

describe('formats', () => {
  it('writes numbers as each language does', () => {
    expect(formats.en.percent(0.5513)).toBe('55.1\u202f%');
    expect(formats.it.percent(0.5513)).toBe('55,1\u202f%');
    expect(formats.en.significant(0.0144214)).toBe('0.0144');
    expect(formats.it.significant(null)).toBe('–');
    expect(formats.en.significant(Number.NaN)).toBe('–');
    expect(formats.en.significant(0.0000037)).toBe('3.7E-6');
    expect(formats.en.bytes(253113024)).toBe('253 MB');
    expect(formats.en.bytes(2568257536)).toBe('2.6 GB');
    expect(formats.en.short(268098176)).toBe('268M');
  });

  it('writes times, and guesses less sharply', () => {
    expect(formats.en.duration(42.4)).toBe('42 s');
    expect(formats.en.duration(293)).toBe('4 min 53 s');
    expect(formats.en.duration(3000)).toBe('50 min');
    expect(formats.en.duration(7500)).toBe('2 h 5 min');
    expect(formats.en.about(299)).toBe('5 min');
    expect(formats.en.about(41)).toBe('45 s');
  });
});

describe('what is pointed at in a drawing', () => {
  const points = [
    { x: 10, y: 10, text: 'a' },
    { x: 50, y: 90, text: 'b' },
  ];

  it('is the nearest along x, or of all, or the cell around it', () => {
    expect(meant({ along: 'x', points }, { x: 40, y: 0 }, 24)).toBe(1);
    expect(meant({ along: 'nearest', points }, { x: 12, y: 12 }, 24)).toBe(0);
    expect(meant({ along: 'nearest', points }, { x: 40, y: 0 }, 24)).toBeNull();
    const cells = points.map((p) => ({ ...p, width: 20, height: 20 }));
    expect(meant({ along: 'cells', points: cells }, { x: 65, y: 95 }, 24)).toBe(1);
    expect(meant({ along: 'cells', points: cells }, { x: 40, y: 95 }, 24)).toBeNull();
    expect(meant({ along: 'x', points: [] }, { x: 0, y: 0 }, 24)).toBeNull();
    // a part of a bar lies on top of the bar
    const bar = { x: 0, y: 0, width: 100, height: 20, text: 'bar' };
    const parts = { along: 'cells' as const, points: [bar, { ...bar, x: 60, width: 20 }, { ...bar, y: 20 }] };
    expect([10, 70, 90].map((x) => meant(parts, { x, y: 10 }, 24))).toEqual([0, 1, 0]);
  });
});

describe('what was opened in a figure', () => {
  const both = (opened: Parameters<typeof told>[0]): string[] => (['en', 'it'] as const).map((l) => told(opened, words[l].results, formats[l]));

  it('is told in either language', () => {
    expect(both({ expected: 'a', answer: 'b' })).toEqual(['a → b', 'a → b']);
    expect(both({ expected: 'a', answer: '' })).toEqual(['a → no label', 'a → nessuna etichetta']);
    expect(both({ probability: { from: 0.8, to: 0.9 } })).toEqual(['Probability from 80.0\u202f% to 90.0\u202f%', 'Probabilità da 80,0\u202f% a 90,0\u202f%']);
    expect(both({ probability: { from: 0.9634 } })).toEqual(['Probability of at least 96.3\u202f%', 'Probabilità di almeno 96,3\u202f%']);
    expect(both({ probability: { from: 0.5, calibrated: true } })).toEqual(['Calibrated probability of at least 50.0\u202f%', 'Probabilità calibrata di almeno 50,0\u202f%']);
    expect(both({ mistake: { kind: 'wrong_boundary', type: 'people' } })).toEqual(['wrong boundary · people', 'confini sbagliati · people']);
    expect(both({ index: 3 })).toEqual(['One point of the map', 'Un punto della mappa']);
    expect(both({ mistake: {} })).toEqual(['any mistake · all types', 'qualunque errore · tutti i tipi']);
  });

  it('is known again by what it opens', () => {
    expect(same({ mistake: { kind: 'missed' } }, { mistake: { kind: 'missed' } })).toBe(true);
    expect(same({ mistake: { kind: 'missed' } }, { mistake: { kind: 'missed', type: 'people' } })).toBe(false);
    expect([same(null, undefined), same(null, { probability: { from: 0 } })]).toEqual([true, false]);
  });
});

describe('a place that is scrolled', () => {
  /** A part of a screen that is only so long as what has been drawn of it. */
  function part(room: number): { node: HTMLElement; grow: (room: number) => void; go: (to: number) => void } {
    let [at, most, drawn] = [0, room, (): void => undefined];
    const node = document.createElement('div');
    node.append(document.createElement('p'));
    Object.defineProperty(node, 'scrollTop', { get: () => at, set: (to: number) => (at = Math.min(to, most)) });
    vi.stubGlobal('ResizeObserver', class {
      constructor(changed: () => void) {
        drawn = changed;
      }
      observe(): void {
        drawn();
      }
      disconnect(): void {
        drawn = () => undefined;
      }
    });
    const moved = (): boolean => node.dispatchEvent(new Event('scroll'));
    return {
      node,
      grow: (to) => {
        most = to;
        drawn();
        moved();
      },
      go: (to) => {
        node.scrollTop = to;
        moved();
      },
    };
  }
  afterEach(() => void vi.unstubAllGlobals());

  it('is kept, and gone back to as soon as there is room', () => {
    const place = { scroll: 0 };
    const first = part(900);
    const action = scrolled(first.node, place);
    first.go(700);
    expect(place.scroll).toBe(700);
    action.destroy();
    first.go(0);
    expect(place.scroll).toBe(700);

    const again = part(300);
    scrolled(again.node, place);
    expect([again.node.scrollTop, place.scroll]).toEqual([300, 700]);
    again.grow(500);
    expect([again.node.scrollTop, place.scroll]).toEqual([500, 700]);
    again.grow(900);
    expect(again.node.scrollTop).toBe(700);
    again.grow(2000);
    expect(again.node.scrollTop).toBe(700);
  });

  it('is left alone by whoever has gone elsewhere meanwhile', () => {
    const place = { scroll: 700 };
    const again = part(300);
    scrolled(again.node, place);
    again.go(120);
    again.grow(900);
    expect([again.node.scrollTop, place.scroll]).toEqual([120, 120]);
  });
});

describe('the rows that are drawn', () => {
  it('are those in view, with some to spare', () => {
    const v = view(300, 34, 34 * 100, 340, 5);
    expect([v.first, v.last, v.height]).toEqual([95, 115, 300 * 34]);
    expect(v.top).toBe(95 * 34);
  });

  it('never leave the table', () => {
    for (const scroll of [-50, 0, 1e3, 1e9]) {
      const v = view(20, 34, scroll, 340);
      expect(v.first).toBeGreaterThanOrEqual(0);
      expect(v.last).toBeLessThanOrEqual(20);
    }
    expect(view(0, 34, 0, 600)).toMatchObject({ first: 0, last: 0, height: 0 });
  });

  it('reach the last of a million within the height a browser can hold', () => {
    const count = 1_000_000;
    const end = view(count, 34, CAP - 600, 600, 0);
    expect(end.height).toBe(CAP);
    expect(end.last).toBe(count);
    // the last row ends exactly where the content ends
    expect(end.top + (end.last - end.first) * 34).toBeCloseTo(CAP, 3);
    // every row can be revealed
    for (const index of [0, 1, 499_999, 999_999]) {
      const to = reveal(count, 34, index < 500_000 ? CAP - 600 : 0, 600, index);
      const v = view(count, 34, to ?? 0, 600, 0);
      expect(v.first).toBeLessThanOrEqual(index);
      expect(v.last).toBeGreaterThan(index);
    }
  });

  it('are left where they are if the row is in view', () => {
    expect(reveal(300, 34, 340, 340, 12)).toBeNull();
    expect(reveal(300, 34, 340, 340, 9)).toBe(306);
    expect(reveal(300, 34, 340, 340, 20)).toBe(374);
  });
});

describe('what happened to a run', () => {
  const { events } = head;
  const past = events.flatMap((event) => (event.type === 'step' || event.type === 'answering' ? [] : [{ at: 'step' in event ? event.step : 0, event }]));

  it('is told event by event, with every number, in both languages', () => {
    const lines = happened(past, words.en, formats.en);
    expect(lines[0]).toEqual(['Step', 'Event', 'What happened']);
    expect(lines).toHaveLength(1 + past.length);
    const last = events.findLast((e) => e.type === 'evaluation');
    expect(lines.findLast((line) => line[1] === 'Evaluation')).toEqual([
      formats.en.whole(last?.step ?? 0),
      'Evaluation',
      `Validation loss ${formats.en.exact(last?.loss)}, accuracy ${formats.en.exact(last?.metrics['accuracy'])}${last?.best ? ', best' : ''}`,
    ]);
    expect(lines.find((line) => line[1] === 'Saved')?.[2]).toBe(events.find((e) => e.type === 'checkpoint')?.path);
    expect(lines.at(-1)?.slice(0, 2)).toEqual([formats.en.whole(planned), 'Ended']);
    for (const [, event, text] of happened(past, words.it, formats.it)) expect([event, text].join(' ')).not.toMatch(/Began|Saved|Ended|step/);
  });

  it('says of a pause only when it was', () => {
    expect(happened([{ at: 7, event: { type: 'paused', step: 7 } }], words.en, formats.en)[1]).toEqual(['7', 'Paused', '']);
    const lost = [{ at: 7, event: { type: 'paused' as const, step: 7, why: { en: 'it was lost', it: 'è andato perso' } } }];
    expect(happened(lost, words.en, formats.en)[1]?.[2]).toBe('it was lost');
    expect(happened(lost, words.it, formats.it)[1]?.[2]).toBe('è andato perso');
  });

  it('is a table of evaluations, with a dash where one has no such measure', () => {
    const evaluation = (step: number, loss: number | null, metrics: Record<string, number>) => ({ type: 'evaluation' as const, step, loss, metrics, best: false, samples: [] });
    expect(evaluated([evaluation(0, null, {}), evaluation(15, 0.5, { accuracy: 0.25 })], words.en, formats.en)).toEqual([
      ['Step', 'Validation loss', 'Accuracy'],
      ['0', '–', '–'],
      ['15', '0.5', '0.25'],
    ]);
  });
});

describe('the devices', () => {
  const device: Device = { id: 'gpu:0', name: 'Iris Xe', kind: 'gpu', api: 'Vulkan', driver: 'Mesa', max_binding_bytes: 0, memory_bytes: 8e9, f16: true, subgroups: true, parity: 'unfused', detail: 'x; `lapidary devices` lists what is', speed: 900.4 };

  it('are told with what was found, in the words of the window', () => {
    const [, line] = deviceLines([device], words.it, formats.it);
    expect(line).toEqual(['gpu:0', 'Iris Xe', 'Vulkan', 'Mesa', '8 GB', 'sì', 'concorda senza operazioni fuse', '900', `x. ${words.it.advice.device}`]);
  });

  it('do not hold the processor against itself', () => {
    const cpu: Device = { ...device, kind: 'cpu', memory_bytes: null, f16: false, driver: '', detail: '', speed: null, parity: 'pass' };
    expect(deviceLines([cpu], words.en, formats.en)[1]?.slice(3)).toEqual(['–', '–', '–', '–', '–', '–']);
  });
});

describe('what is copied', () => {
  it('survives tabs, quotes and line ends', () => {
    expect(tsv([['a', 1, null], ['b\tc', 'say "x"', 'd\ne']])).toBe('a\t1\t\n"b\tc"\t"say ""x"""\t"d\ne"');
  });
});

describe('targets', () => {
  it('are cut at characters, not at code units', () => {
    const text = '🌋 Etna e Siracusa';
    const spans = [
      { start: 9, end: 17, type: 'place' },
      { start: 2, end: 6, type: 'place' },
      { start: 3, end: 5, type: 'overlaps' },
      { start: 40, end: 50, type: 'outside' },
    ];
    expect(pieces(text, spans)).toEqual([
      { text: '🌋 ', type: null },
      { text: 'Etna', type: 'place', start: 2 },
      { text: ' e ', type: null },
      { text: 'Siracusa', type: 'place', start: 9 },
    ]);
    expect(pieces('abc', [])).toEqual([{ text: 'abc', type: null }]);
  });

  it('read as one line', () => {
    expect(target({ kind: 'hashtags', tags: ['#a', '#b'] })).toBe('#a #b');
    expect(target({ kind: 'entities', spans: [{ start: 0, end: 1, type: 'date' }] })).toBe('date');
  });
});

describe('reading a figure', () => {
  const loss = head.figures['loss']?.data as FigureData;

  it('knows every step that has a value', () => {
    const known = steps(loss);
    expect(known[0]).toBe(0);
    expect(known.at(-1)).toBe(planned);
    expect(known).toHaveLength(planned + 1);
  });

  it('says what the events said', () => {
    const event = head.events.filter((e) => e.type === 'evaluation').find((e) => e.step > 0);
    const read = readings(loss, event?.step ?? 0, words.en.train, formats.en);
    expect(read.map((r) => r.name)).toEqual(['training', 'smoothed', 'validation']);
    expect(read[2]?.value).toBe(formats.en.exact(event?.loss));
    expect(readings(loss, 0, words.it.train, formats.it).map((r) => r.name)).toEqual(['validazione']);
  });
});

describe('colours of entity types', () => {
  it('differ within a set, whatever its types are called and in whichever order they are listed', () => {
    for (const types of [['LOC', 'MISC', 'ORG', 'DATE'], ['location', 'organization'], ['persone', 'luoghi', 'organizzazioni', 'date'], Array.from({ length: 12 }, (_, i) => `t${i}`)]) {
      const all = [...hues(types).values()].sort((a, b) => a - b);
      expect(new Set(all).size).toBe(types.length);
      for (const [i, hue] of all.entries()) expect((all[i + 1] ?? (all[0] ?? 0) + 360) - hue).toBeGreaterThanOrEqual(30);
      expect(hues([...types].reverse())).toEqual(hues(types));
    }
    // one that is not on the list has a hue of its own, and leaves the others theirs
    expect(hues(['a', 'b'], ['c', 'a']).get('a')).toBe(hues(['a', 'b']).get('a'));
    expect(new Set(hues(['a', 'b'], ['c', 'a']).values()).size).toBe(3);
  });
});

describe('the cells of a matrix', () => {
  it('stand in the order of confusion, answers that are no label apart', () => {
    // drawn as c, a, b
    const counts = [[5, 0, 0, 0], [0, 0, 0, 4], [0, 2, 7, 0]];
    const figure: Figure = {
      svg: '',
      alt: '',
      width: 300,
      height: 300,
      data: { kind: 'confusion', labels: ['a', 'b', 'c'], counts, order: [2, 0, 1] },
      plot: { kind: 'cells', left: 100, top: 60, cell: 40, rows: 3, columns: 4, gap: 12 },
    };
    expect(squares(figure).map((s) => [s.row, s.column, s.count, s.x, s.y])).toEqual([
      [2, 2, 7, 100, 60],
      [2, 1, 2, 180, 60],
      [0, 0, 5, 140, 100],
      [1, 3, 4, 232, 140],
    ]);
    expect(squares(figure)[0]).toMatchObject({ width: 40, height: 40 });
    // where the engine drew no such column there is none, and no other figure has cells
    expect(squares({ ...figure, plot: { kind: 'cells', left: 100, top: 60, cell: 40, rows: 3, columns: 3, gap: 0 } })).toHaveLength(3);
    expect(squares({ ...figure, plot: null })).toEqual([]);
  });

  it('are those of the recorded drawing', async () => {
    const door = new Double();
    const figure = await door.figure('runs/head', 'confusion', 'en');
    const found = squares(figure);
    expect(found.reduce((sum, s) => sum + s.count, 0)).toBe(156);
    const drawn = [...new DOMParser().parseFromString(figure.svg, 'image/svg+xml').querySelectorAll('rect')];
    // four units to a pixel, and half a pixel of frame
    for (const s of found) expect(drawn.some((r) => Math.abs(Number(r.getAttribute('x')) / 4 - s.x) < 1 && Math.abs(Number(r.getAttribute('y')) / 4 - s.y) < 1)).toBe(true);
  });
});

describe('scores', () => {
  it('are every share with an interval, the main one first', () => {
    const found = scores(head.result.metrics);
    const metrics = classes(head.result.metrics);
    expect(found[0]).toEqual({ key: 'accuracy', value: metrics?.accuracy, interval: metrics?.accuracy_ci });
    expect(found.map((s) => s.key)).toEqual(['accuracy', 'macro_f1', 'expected_calibration_error']);
    expect(metrics?.confusion.labels).toHaveLength(12);
  });

  it('of another task need no labels', () => {
    const entities = { precision: 0.8, precision_ci: [0.7, 0.9], recall: 0.6, recall_ci: [0.5, 0.7], f1: 0.69, f1_ci: [0.6, 0.75], examples: 60 };
    expect(scores(entities).map((s) => s.key)).toEqual(['f1', 'precision', 'recall']);
    expect(classes(entities)).toBeNull();
    expect(scores(null)).toEqual([]);
  });
});

describe('comparing', () => {
  const recorded = [head, recording('completion', 'en')].map((r, i): Run => {
    const run = { run: r.run, result: r.result, changes: 0, source: null };
    return { ...run, row: { path: `r${i}`, name: `r${i}`, task: 'intent', method: r.run.method, status: 'completed', accuracy: 0, started: '', model: '', data: '', bytes: 0 } };
  });

  const accuracies = recorded.map((run) => formats.en.percent(classes(run.result?.metrics)?.accuracy ?? 0));

  it('marks what differs and who leads', () => {
    const all = columns(recorded, words.en, formats.en);
    const column = (key: string) => all.find((c) => c.key === key);
    expect(column('accuracy')).toMatchObject({ cells: accuracies, best: 0 });
    expect(column('method')).toMatchObject({ differs: true, cells: ['Classification head', 'Completion'] });
    expect(column('settings.train.batch')).toMatchObject({ differs: false, cells: ['8', '8'] });
    expect(column('seconds')?.best).toBeNull();
  });

  it('leaves the intervals of further measures to the details, which tell every column', () => {
    const all = columns(recorded, words.en, formats.en);
    expect(all.filter((c) => c.aside).map((c) => c.name)).toEqual(['Macro F1, 95 % interval', 'Calibration error, 95 % interval']);
    const lines = sheet(recorded, all, words.en);
    expect(lines).toHaveLength(all.length + 1);
    expect(lines.slice(0, 2)).toEqual([['Measure', 'r0', 'r1'], ['Accuracy', ...accuracies]]);
  });

  it('tells what a paired test rests on, and nothing of runs that were not asked the same', () => {
    const test = { a: 'x', b: 'y', metric: 'score', examples: 156, difference: -0.0123456, interval: [-0.05, 0.02] as [number, number], p: 0.25, only_a: 12, only_b: 10 };
    expect(paired(test, 'x', 'y', words.en, formats.en).map(([, value]) => value)).toEqual(['Mean score of an example', '-0.0123456', '-0.05 – 0.02', '0.25', '156', '12', '10', '134']);
    expect(paired(test, 'x', 'y', words.it, formats.it)[1]).toEqual(['y meno x', '-0,0123456']);
    expect(paired({ ...test, examples: 0 }, 'x', 'y', words.en, formats.en)).toEqual([]);
  });

  it('has no leader where two are level', () => {
    const twice = columns([recorded[0], recorded[0]] as Run[], words.en, formats.en);
    expect(twice.find((c) => c.key === 'accuracy')).toMatchObject({ best: null, differs: false });
  });

  it('flattens settings', () => {
    expect(flat({ a: 1, b: { c: true, d: ['x', 'y'] } })).toEqual({ a: '1', 'b.c': 'true', 'b.d': 'x, y' });
  });
});

describe('the catalogues', () => {
  /** Words that are the same in both languages. */
  const SHARED = new Set(['Lapidary', 'API', 'Driver', 'Test', 'Token', 'Hashtag', 'SQL', 'F1', 'PDF', 'Markdown', 'CSV', 'TSV', 'JSON', 'JSON Lines', 'Parquet', 'Alpaca', 'fastText', 'GGUF', 'ROUGE-L', 'chrF', 'Status']);

  function texts(value: unknown, path: string): [string, string][] {
    if (typeof value === 'string') return [[path, value]];
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => texts(inner, path === '' ? key : `${path}.${key}`));
  }

  it('say something everywhere, and Italian is Italian', () => {
    const italian = new Map(texts(words.it, ''));
    for (const [path, text] of texts(words.en, '')) {
      expect(text.trim(), path).not.toBe('');
      expect(italian.get(path), path).toBeTruthy();
      if (!SHARED.has(text)) expect(italian.get(path), path).not.toBe(text);
    }
  });

  it('count', () => {
    expect(words.en.data.count(1, 1)).toBe('1 row');
    expect(words.en.data.count(3, 1200)).toBe('3 of 1,200 rows');
    expect(words.it.data.count(1, 1)).toBe('1 riga');
    expect(words.it.data.count(3, 1200)).toBe('3 di 1.200 righe');
    expect(words.en.start.problems(1, 2)).toBe('1 problem to fix, 2 things to look at');
    expect(words.it.start.problems(0, 1)).toBe('1 cosa da guardare');
  });
});

describe('answers that are changed', () => {
  it('mark what is selected, without the spaces at its edges, counted in characters', () => {
    const text = '🎉 Anna va a Roma.';
    // in UTF-16 the sign is two units
    expect(mark(text, [], 2, 8, 'person')).toEqual([{ start: 2, end: 6, type: 'person' }]);
    const spans = [{ start: 2, end: 6, type: 'person' }];
    expect(mark(text, spans, text.indexOf('Roma'), text.indexOf('.'), 'place')).toEqual([...spans, { start: 12, end: 16, type: 'place' }]);
    expect(mark(text, spans, 3, 10, 'phrase')).toEqual([{ start: 2, end: 9, type: 'phrase' }]);
    expect(mark(text, spans, 2, 3, 'x')).toBeNull();
  });

  it('read hashtags as people write them', () => {
    expect(tagsOf(' #roma, napoli  #roma;#')).toEqual(['#roma', '#napoli']);
  });

  it('begin empty, of the kind of their task', () => {
    expect(Object.values(KINDS).map((kind) => blank(kind, 'a').kind)).toEqual(['label', 'entities', 'sql', 'hashtags', 'completion']);
  });
});

describe('mistakes', () => {
  const span = (start: number, end: number, type: string): Span => ({ start, end, type });

  it('tell what became of each span', () => {
    const expected = [span(0, 4, 'person'), span(8, 12, 'place'), span(20, 25, 'date'), span(30, 33, 'org')];
    const answered = [span(0, 4, 'person'), span(8, 12, 'person'), span(20, 28, 'date'), span(40, 44, 'place')];
    expect(judge(expected, answered).map((j) => j.fate)).toEqual(['hit', 'type', 'boundary', 'missed', 'invented']);
    expect(judge([], []).length).toBe(0);
    // and what each answered one is, for the sentence as it was answered
    const found = fates(expected, answered);
    expect(answered.map((s) => found.get(s))).toEqual(['hit', 'type', 'boundary', 'invented']);
  });

  it('pair spans as the engine does: of one type, those with most in common first', () => {
    expect(judge([span(0, 5, 'place')], [span(3, 8, 'person')]).map((j) => j.fate)).toEqual(['missed', 'invented']);
    const [one, other] = [span(0, 4, 'date'), span(4, 12, 'date')];
    const found = fates([one, other], [span(2, 12, 'date')]);
    expect([found.get(one), found.get(other)]).toEqual(['missed', 'boundary']);
  });

  it('read only what is a list of spans', () => {
    expect(spansOf('[{"start":0,"end":1,"type":"x"}]')).toEqual([span(0, 1, 'x')]);
    for (const text of ['[{"start":0}]', '{}', 'nothing', null]) expect(spansOf(text)).toBeNull();
  });

  it('tell hits, misses and inventions of hashtags', () => {
    expect(tagFates('#Roma #sole', '#roma #mare').map((t) => t.fate)).toEqual(['hit', 'missed', 'invented']);
    expect(tagFates('#a', null)).toEqual([{ tag: '#a', fate: 'missed' }]);
    // each once, as the engine counts them
    expect(tagFates('#Città #citta #sole', '#citta\u0300 #SOLE #x #X #!').map((t) => `${t.tag} ${t.fate}`)).toEqual(['#Città hit', '#sole hit', '#x invented']);
  });
});
