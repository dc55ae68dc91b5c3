import type { Channel } from '@tauri-apps/api/core';
import { clearMocks, mockIPC } from '@tauri-apps/api/mocks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Double } from '../src/backend/double';
import { failure } from '../src/backend/failure';
import { recording } from '../src/backend/recorded';
import { tauri } from '../src/backend/tauri';
import type { Edit, EventBatch, RowQuery, RunRequest, TrainEvent } from '../src/backend/types';
import { formats } from '../src/lib/format';
import { happened } from '../src/lib/happened';
import { Pages } from '../src/lib/pages.svelte';
import { classes, scores } from '../src/lib/scores';
import { Story } from '../src/lib/story.svelte';
import { Question, type Work } from '../src/lib/work.svelte';
import { words } from '../src/words';

const REQUEST: RunRequest = { data: { task: 'intent', folder: 'datasets/intents-it' }, model: 'gemma-3-270m', method: 'auto', device: 'auto', seed: 0, set: [] };
/** Nobody ends what is begun with it. */
const SIGNAL = new AbortController().signal;
const HEAD = recording('head', 'en');
const EVENTS = HEAD.events;
const STEPS = EVENTS.find((e) => e.type === 'started')?.steps ?? 0;
const EVALUATIONS = EVENTS.filter((e) => e.type === 'evaluation');

/** What does not end before it is told to. */
function untilStopped(work: Work): Promise<never> {
  return new Promise((_, reject) => work.abort.signal.addEventListener('abort', () => reject(Object.assign(new Error(), { message: 'cancelled' }))));
}

describe('the double', () => {
  it('gives as many answers as a point of its reliability diagram counts', async () => {
    const door = new Double();
    const run = 'runs/head';
    const { data } = await door.figure(run, 'reliability', 'it');
    const points = data.kind === 'reliability' ? data.pointer.points : [];
    const totals = await Promise.all(points.map(async (point) => (await door.predictions(run, point.opens ?? {}, 0, 0, 'it')).total));
    expect(totals).toEqual(classes(HEAD.result.metrics)?.reliability.map((bin) => bin.count));
    expect(points.map((point) => Number(/\((\d+)\)/.exec(point.text)?.[1]))).toEqual(totals);
    // its answers are labels, in which nothing is missed or invented
    expect((await door.predictions(run, { mistake: {} }, 0, 0, 'it')).total).toBe(0);
  });
});

describe('a story', () => {
  const quiet = new Double();

  it('folds a recorded run', () => {
    const ended = vi.fn();
    const story = new Story('r', quiet, 'en', ended);
    story.take({ run: 'r', from: 0, events: EVENTS });
    expect(story.step?.step).toBe(story.started?.steps);
    expect(story.evaluations).toEqual(EVALUATIONS);
    expect(story.best).toEqual(EVALUATIONS.findLast((e) => e.best));
    expect(story.ended?.type).toBe('completed');
    expect(story.remaining).toBeNull();
    expect(story.next).toBe(EVENTS.length);
    expect(ended).toHaveBeenCalledOnce();
  });

  it('takes each event once, however batches overlap', () => {
    const story = new Story('r', quiet, 'en');
    story.take({ run: 'r', from: 0, events: EVENTS.slice(0, 5) });
    story.take({ run: 'r', from: 2, events: EVENTS.slice(2, 8) });
    story.take({ run: 'r', from: 0, events: EVENTS.slice(0, 3) });
    expect(story.next).toBe(8);
    expect(story.evaluations).toEqual(EVENTS.slice(0, 8).filter((e) => e.type === 'evaluation'));
  });

  it('asks again after a gap instead of passing it over', async () => {
    const asked: number[] = [];
    const door = new Double();
    door.subscribe = (run, from, _language, onBatch) => {
      asked.push(from);
      onBatch({ run, from, events: EVENTS.slice(from, 9) });
      return Promise.resolve(() => undefined);
    };
    const story = new Story('r', door, 'en');
    story.take({ run: 'r', from: 0, events: EVENTS.slice(0, 2) });
    story.take({ run: 'r', from: 5, events: EVENTS.slice(5, 9) });
    await vi.waitFor(() => expect(story.next).toBe(9));
    expect(asked).toEqual([2]);
  });

  it('says why no more will come of it', () => {
    const story = new Story('r', quiet, 'en');
    story.take({ run: 'r', from: 0, events: EVENTS.slice(0, 5) });
    expect(story.fault).toBeNull();
    story.take({ run: 'r', from: 5, events: [], fault: 'events.jsonl:6: is no event' });
    expect([story.fault, story.next]).toEqual(['events.jsonl:6: is no event', 5]);
  });

  it('tells the time left by how long steps take, and what was measured of the scoring', () => {
    const story = new Story('r', quiet, 'en');
    const upTo = (step: number): TrainEvent[] => EVENTS.slice(0, EVENTS.findIndex((e) => e.type === 'step' && e.step === step) + 1);
    story.take({ run: 'r', from: 0, events: upTo(2) });
    expect(story.remaining).toBeNull();
    // what was foretold was for the steps after it, which take just that long
    const foretold = EVENTS.findIndex((e) => e.type === 'forecast');
    const seconds = EVENTS.find((e) => e.type === 'forecast')?.seconds ?? 0;
    const pace = seconds / (STEPS - EVENTS.slice(0, foretold).filter((e) => e.type === 'step').length);
    const steady = upTo(30).map((e, i): TrainEvent => (i > foretold && e.type === 'step' ? { ...e, tokens_per_second: e.tokens / pace } : e));
    story.take({ run: 'r', from: 0, events: steady });
    expect(story.remaining).toBeCloseTo((STEPS - 30) * pace, 6);
    // from here on steps take a second
    const last = EVENTS.findLast((e) => e.type === 'step');
    const slow = Array.from({ length: 100 }, () => ({ ...last, step: STEPS - 30, tokens: 700, tokens_per_second: 700 }) as TrainEvent);
    story.take({ run: 'r', from: story.next, events: slow });
    expect(story.remaining).toBeCloseTo(30, 1);
    story.scoring = 500;
    expect(story.remaining).toBeCloseTo(530, 1);
    expect(story.share).toBe((STEPS - 30) / STEPS);
  });

  it('tells the time left of answers by how long they take, and of those that follow by what was measured', () => {
    const story = new Story('r', quiet, 'en');
    const answering = (system: string, done: number, of: number, seconds: number): void =>
      story.take({ run: 'r', from: story.next, events: [{ type: 'answering', system, done, of, seconds }] });
    answering('model', 0, 156, 0);
    expect([story.remaining, story.partly, story.share]).toEqual([null, true, 0]);
    answering('model', 39, 156, 13);
    expect([story.remaining, story.share]).toEqual([39, 0.25]);
    story.scoring = 300;
    expect([story.remaining, story.partly]).toEqual([287, false]);
    answering('model', 156, 156, 50);
    answering('untuned', 10, 100, 40);
    // slower than was measured
    expect(story.remaining).toBe(360);
    // one that is taken up again has no answers yet, and how many there are is no step
    story.take({ run: 'r', from: story.next, events: [{ type: 'resumed', step: 40 }] });
    expect([story.answering, story.remaining, story.past.map(({ event }) => event.type)]).toEqual([null, null, ['resumed']]);
  });

  it('that was told to stop measures what it has, which can be stopped again', () => {
    const story = new Story('r', quiet, 'en');
    const answering = (done: number): TrainEvent => ({ type: 'answering', system: 'model', done, of: 156, seconds: done });
    story.scoring = 1000;
    story.asked = 'stop';
    story.take({ run: 'r', from: 0, events: [answering(0)] });
    expect([story.asked, story.stopped]).toEqual([null, true]);
    story.asked = 'stop';
    story.take({ run: 'r', from: 1, events: [answering(16)] });
    // nobody else is asked
    expect([story.asked, story.remaining]).toEqual(['stop', 140]);
    story.take({ run: 'r', from: 2, events: [{ type: 'completed', step: 30, status: 'stopped', seconds: 9, metrics: {} }] });
    expect([story.asked, story.answering, story.stopped]).toEqual([null, null, false]);
  });

  it('keeps the last word on health, and goes on after a resume', () => {
    const story = new Story('r', quiet, 'en');
    const health = (step: number, ok: boolean, message: string): TrainEvent => JSON.parse(JSON.stringify({ type: 'health', step, ok, message })) as TrainEvent;
    const events: TrainEvent[] = [
      health(41, false, 'gradients are no numbers'),
      { type: 'paused', step: 41 },
    ];
    story.take({ run: 'r', from: 0, events });
    expect(story.health?.ok).toBe(false);
    expect(story.paused).toBe(true);
    story.take({ run: 'r', from: 2, events: [{ type: 'resumed', step: 41 }, health(43, true, 'well')] });
    expect([story.paused, story.health?.ok]).toEqual([false, true]);
  });

  it('knows the scores of the run before it has ended, and forgets them where it is taken up again', () => {
    const turned = vi.fn();
    const story = new Story('r', quiet, 'en', undefined, turned);
    const scored = (system: string, examples: number, remembered: boolean): TrainEvent => ({ type: 'scored', step: 60, system, metrics: { accuracy: 0.5 }, examples, of: 156, remembered });
    story.take({ run: 'r', from: 0, events: [scored('model', 156, false), scored('untuned', 100, true)] });
    expect([story.scored.map((s) => s.system), story.ended, turned.mock.calls.length]).toEqual([['model', 'untuned'], null, 2]);
    const lines = happened(story.past, words.en, formats.en).map((line) => line[2]);
    expect(lines.slice(1)).toEqual(['This run: accuracy 0.5', 'Before training: accuracy 0.5, on 100 of 156 rows, remembered from an earlier run']);
    story.take({ run: 'r', from: 2, events: [{ type: 'resumed', step: 40 }] });
    expect(story.scored).toEqual([]);
  });

  it('keeps why a run waits whose device was lost, until it goes on', () => {
    const story = new Story('r', quiet, 'en');
    const why = { en: 'it was lost', it: 'è andato perso' };
    story.take({ run: 'r', from: 0, events: [{ type: 'paused', step: 20, why }] });
    expect([story.lost?.why, story.remaining]).toEqual([why, null]);
    story.take({ run: 'r', from: 1, events: [{ type: 'resumed', step: 20 }] });
    expect(story.lost).toBeNull();
  });

  it('goes back to where it was last saved when it is taken up after a crash', () => {
    const turned = vi.fn();
    const story = new Story('r', quiet, 'en', undefined, turned);
    const cut = EVENTS.slice(0, EVENTS.findIndex((e) => e.type === 'step' && e.step === 37) + 1);
    story.take({ run: 'r', from: 0, events: [...cut, { type: 'resumed', step: 20 }] });
    expect([story.step?.step, story.validation]).toEqual([20, EVALUATIONS.findLast((e) => e.step <= 20)]);
    expect(turned).toHaveBeenCalledOnce();
  });
});

describe('the double', () => {
  it('gives all events in order, from any number on, and to a window that comes late', async () => {
    const door = new Double({ pace: 0 });
    const run = await door.startRun(REQUEST, SIGNAL);
    const early: EventBatch[] = [];
    await door.subscribe(run, 0, 'en', (batch) => early.push(batch));
    await vi.waitFor(() => expect(early.flatMap((b) => b.events).at(-1)?.type).toBe('completed'), { timeout: 30_000 });
    let next = 0;
    for (const batch of early) {
      expect(batch.from).toBe(next);
      next += batch.events.length;
    }
    expect(early.flatMap((b) => b.events)).toEqual(EVENTS);
    const late: EventBatch[] = [];
    await door.subscribe(run, 60, 'en', (batch) => late.push(batch));
    expect(late.flatMap((b) => b.events)).toEqual(EVENTS.slice(60));
    expect(scores((await door.run(run, 'en')).result?.metrics)[0]?.value).toBe(HEAD.row.accuracy);
  });

  it('pauses and goes on', async () => {
    const door = new Double({ pace: 5 });
    const run = await door.startRun(REQUEST, SIGNAL);
    await door.pauseRun(run);
    expect((await door.runs())[0]?.status).toBe('paused');
    await door.resumeRun(run, undefined, SIGNAL);
    await vi.waitFor(async () => expect((await door.runs())[0]?.status).toBe('completed'), { timeout: 30_000 });
  });

  it('filters, searches, sorts, edits and undoes rows', async () => {
    const door = new Double();
    const data = await door.openData({ task: 'intent', folder: 'datasets/intents-it' }, () => undefined, new AbortController().signal);
    const query = { data: data.id, offset: 0, limit: 500, filter: {}, search: '', sort: { by: 'row' as const, descending: false } };
    expect((await door.rows(query)).total).toBe(300);
    expect((await door.rows({ ...query, filter: { split: 'test', label: 'order_tracking' } })).total).toBe(13);
    const found = await door.rows({ ...query, search: 'PACCO' });
    expect(found.total).toBeGreaterThan(0);
    expect(found.rows.every((r) => r.text.toLowerCase().includes('pacco'))).toBe(true);
    const after = await door.editRow(data.id, { kind: 'delete', row: 1 });
    expect([after.splits.train, after.changes, after.undone]).toEqual([119, 1, 0]);
    expect((await door.undoEdit(data.id)).splits.train).toBe(120);
  });

  it('fails with a plain line', async () => {
    await expect(new Double().openData({ task: '', folder: 'nowhere' }, () => undefined, new AbortController().signal)).rejects.toEqual({ message: 'nowhere: no such file; check the path' });
    await expect(new Double({ first: true }).startRun(REQUEST, SIGNAL)).rejects.toMatchObject({ message: expect.stringContaining('get it first') as string });
  });
});

describe('a question', () => {
  it('is answered, stopped or overtaken, and what comes of it then changes nothing', async () => {
    const question = new Question<number>();
    expect([await question.ask(() => Promise.resolve(7)), question.answer, question.work]).toEqual([7, 7, null]);
    // stopped: at once, whatever the engine still does
    let late: (answer: number) => void = () => undefined;
    const slow = (): Promise<number> => new Promise((done) => (late = done));
    const stopped = question.ask(slow);
    question.work?.abort.abort();
    expect([question.work, question.stopped, question.answer, question.fault]).toEqual([null, true, 7, null]);
    late(8);
    expect([await stopped, question.answer]).toEqual([null, 7]);
    // overtaken: nobody stopped it
    const overtaken = question.ask(untilStopped);
    const signal = question.work?.abort.signal;
    expect([await question.ask(() => Promise.resolve(9)), await overtaken, signal?.aborted, question.stopped, question.answer]).toEqual([9, null, true, false, 9]);
    // failed, and left
    // the door rejects with plain values
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    await question.ask(() => Promise.reject({ message: 'the file is gone' }));
    expect([question.fault, question.answer, question.stopped]).toEqual(['the file is gone', 9, false]);
    const left = question.ask(untilStopped);
    question.clear();
    expect([await left, question.answer, question.fault, question.stopped, question.work]).toEqual([null, null, null, false, null]);
  });
});

describe('pages', () => {
  const fetch = (offset: number, limit: number): Promise<{ total: number; rows: number[] }> =>
    Promise.resolve({ total: 1000, rows: Array.from({ length: Math.min(limit, 1000 - offset) }, (_, i) => offset + i) });

  it('come when they are wanted', async () => {
    const pages = new Pages<number>();
    await pages.ask(fetch);
    expect([pages.total, pages.at(0), pages.at(199), pages.at(200)]).toEqual([1000, 0, 199, undefined]);
    pages.want(390, 410);
    await vi.waitFor(() => expect([pages.at(390), pages.at(410)]).toEqual([390, 410]));
    expect(pages.at(900)).toBeUndefined();
  });

  it('drop the answer to a question that was overtaken', async () => {
    const pages = new Pages<number>();
    let answer: (page: { total: number; rows: number[] }) => void = () => undefined;
    const slow = pages.ask(() => new Promise((resolve) => (answer = resolve)));
    await pages.ask(fetch);
    answer({ total: 1, rows: [-1] });
    await slow;
    expect([pages.total, pages.at(0)]).toEqual([1000, 0]);
  });

  it('stay what they were where a person stops a question, and go on coming', async () => {
    const pages = new Pages<number>();
    await pages.ask(fetch);
    let never: Work | undefined;
    const asked = pages.ask((_offset, _limit, work) => {
      never = work;
      return untilStopped(work);
    });
    // what is on show is not asked for meanwhile: the engine does one thing at a time
    pages.want(300, 310);
    expect([pages.asking, pages.at(0), pages.at(300)]).toEqual([never, 0, undefined]);
    never?.abort.abort();
    expect([await asked, pages.asking, pages.fault, pages.total, pages.at(0)]).toEqual(['stopped', null, null, 1000, 0]);
    pages.want(300, 310);
    await vi.waitFor(() => expect(pages.at(300)).toBe(300));
  });

  it('end what nobody waits for any more, and ask again for what is still in view', async () => {
    const pages = new Pages<number>();
    const works: Work[] = [];
    const slow: typeof fetch = () => Promise.reject(Object.assign(new Error(), { message: 'unused' }));
    expect(await pages.ask((offset, limit, work) => (offset === 0 ? fetch(offset, limit) : (works.push(work), untilStopped(work))))).toBe('answered');
    pages.want(200, 210);
    const overtaken = pages.ask((_offset, _limit, work) => (works.push(work), untilStopped(work)));
    expect(works.map((work) => work.abort.signal.aborted)).toEqual([true, false]);
    expect(await pages.ask(slow)).toBe('failed');
    expect([await overtaken, works.every((work) => work.abort.signal.aborted), pages.fault]).toEqual([null, true, 'unused']);
    // the page that was ended comes when it is wanted again
    pages.want(200, 210);
    expect(works).toHaveLength(3);
    pages.clear();
    expect([works[2]?.abort.signal.aborted, pages.total]).toEqual([true, 0]);
  });

  it('say what failed', async () => {
    const pages = new Pages<number>();
    // the door rejects with plain values
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    await pages.ask(() => Promise.reject({ message: 'the file is gone' }));
    expect(pages.fault).toBe('the file is gone');
  });
});

describe('the door with Tauri behind it', () => {
  afterEach(() => clearMocks());

  it('calls commands by the names of its methods', async () => {
    const calls: [string, unknown][] = [];
    mockIPC((command, args) => {
      calls.push([command, args]);
      return null;
    });
    await tauri.capabilities();
    await tauri.dataColumns({ task: 'intent', folder: 'f' });
    await tauri.startRun(REQUEST, SIGNAL);
    await tauri.removeDevice('w:1');
    await tauri.dataSummary('d', 'it');
    expect(calls).toEqual([
      ['capabilities', {}],
      ['data_columns', { source: { task: 'intent', folder: 'f' } }],
      ['start_run', { request: REQUEST }],
      ['remove_device', { address: 'w:1' }],
      ['data_summary', { data: 'd', language: 'it' }],
    ]);
  });

  it('turns whatever a command rejects with into a failure', async () => {
    // a command may reject with a string
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    mockIPC(() => Promise.reject('no such run'));
    await expect(tauri.run('r', 'en')).rejects.toEqual({ message: 'no such run' });
    expect(failure({ message: 'x' })).toEqual({ message: 'x' });
    expect(failure(new Error('y'))).toEqual({ message: 'y' });
    expect(failure(42)).toEqual({ message: '42' });
  });

  it('ends a start and a going on when asked, as long as nothing has come of them', async () => {
    const calls: string[] = [];
    mockIPC((command) => {
      calls.push(command);
      return command === 'cancel_start' ? null : new Promise((done) => setTimeout(done, 20));
    });
    const works: ((signal: AbortSignal) => Promise<unknown>)[] = [(signal) => tauri.startRun(REQUEST, signal), (signal) => tauri.resumeRun('r', undefined, signal)];
    for (const work of works) {
      const abort = new AbortController();
      const working = work(abort.signal);
      abort.abort();
      await working;
    }
    const over = new AbortController();
    await tauri.startRun(REQUEST, over.signal);
    over.abort();
    expect(calls).toEqual(['start_run', 'cancel_start', 'resume_run', 'cancel_start', 'start_run']);
  });

  it('cancels a download when asked', async () => {
    const calls: string[] = [];
    mockIPC((command) => {
      calls.push(command);
      return command === 'get_model' ? new Promise((done) => setTimeout(done, 20)) : null;
    });
    const abort = new AbortController();
    const getting = tauri.getModel('m', null, () => undefined, abort.signal);
    abort.abort();
    await getting;
    expect(calls).toEqual(['get_model', 'cancel_get_model']);
  });

  it('cancels whatever tells of itself by the channel that it tells it on, and only that', async () => {
    const calls: [string, unknown][] = [];
    mockIPC((command, args) => {
      calls.push([command, args]);
      return command === 'cancel' ? null : new Promise((done) => setTimeout(done, 20));
    });
    const [one, other] = [new AbortController(), new AbortController()];
    const both = [tauri.packRun('a', 'f', () => undefined, one.signal), tauri.exportReport('r', ['html'], 'f', 'it', ['cite'], () => undefined, other.signal)];
    other.abort();
    await Promise.all(both);
    const { progress } = calls[1]?.[1] as { progress: Channel };
    expect(calls).toEqual([
      ['pack_run', { run: 'a', folder: 'f', progress: expect.anything() as unknown }],
      ['export_report', { run: 'r', formats: ['html'], folder: 'f', language: 'it', without: ['cite'], progress }],
      ['cancel', { channel: progress.id }],
    ]);
  });

  it('gives whatever may take long a channel, and cancels it by that', async () => {
    const calls: [string, unknown][] = [];
    mockIPC((command, args) => {
      calls.push([command, args]);
      return command === 'cancel' ? null : new Promise((done) => setTimeout(done, 20));
    });
    const query: RowQuery = { data: 'd', offset: 0, limit: 200, filter: {}, search: '', sort: { by: 'text', descending: false } };
    const edit: Edit = { kind: 'delete', row: 1 };
    const long: [(signal: AbortSignal) => Promise<unknown>, string, object][] = [
      [(signal) => tauri.addDevice('w:1', 'secret', () => undefined, signal), 'add_device', { address: 'w:1', token: 'secret' }],
      [(signal) => tauri.importModel('m.gguf', () => undefined, signal), 'import_model', { path: 'm.gguf' }],
      [(signal) => tauri.rows(query, () => undefined, signal), 'rows', { query }],
      [(signal) => tauri.editRow('d', edit, () => undefined, signal), 'edit_row', { data: 'd', edit }],
      [(signal) => tauri.undoEdit('d', () => undefined, signal), 'undo_edit', { data: 'd' }],
      [(signal) => tauri.redoEdit('d', () => undefined, signal), 'redo_edit', { data: 'd' }],
      [(signal) => tauri.describeData('d', () => undefined, signal), 'describe_data', { data: 'd' }],
      [(signal) => tauri.microscope('d', 1, 'm', 'auto', ['a=1'], () => undefined, signal), 'microscope', { data: 'd', row: 1, model: 'm', method: 'auto', set: ['a=1'] }],
      [(signal) => tauri.lengths('d', 'm', 'auto', [], () => undefined, signal), 'lengths', { data: 'd', model: 'm', method: 'auto', set: [] }],
      [(signal) => tauri.queryRow('d', 1, () => undefined, signal), 'query_row', { data: 'd', row: 1 }],
      [(signal) => tauri.predictions('r', { right: false }, 0, 50, 'it', () => undefined, signal), 'predictions', { run: 'r', filter: { right: false }, offset: 0, limit: 50, language: 'it' }],
      [(signal) => tauri.runQuery('r', 'SELECT 1', () => undefined, signal), 'run_query', { run: 'r', sql: 'SELECT 1' }],
      [(signal) => tauri.figure('r', 'loss', 'it', () => undefined, signal), 'figure', { run: 'r', name: 'loss', language: 'it' }],
      [(signal) => tauri.compare(['r', 's'], 'it', () => undefined, signal), 'compare', { runs: ['r', 's'], language: 'it' }],
      [(signal) => tauri.reportPage('r', 'it', ['cite'], () => undefined, signal), 'report_page', { run: 'r', language: 'it', without: ['cite'] }],
      [(signal) => tauri.checkData('d', () => undefined, signal), 'check_data', { data: 'd' }],
      [(signal) => tauri.divideData('d', 0.1, 0.2, 7, () => undefined, signal), 'divide_data', { data: 'd', validation: 0.1, test: 0.2, seed: 7 }],
      [(signal) => tauri.importPredictions('p', 'r', () => undefined, signal), 'import_predictions', { path: 'p', like: 'r' }],
    ];
    for (const [work, command, args] of long) {
      calls.length = 0;
      const abort = new AbortController();
      const working = work(abort.signal);
      abort.abort();
      await working;
      const { progress } = calls[0]?.[1] as { progress: Channel };
      expect(calls).toEqual([[command, { ...args, progress }], ['cancel', { channel: progress.id }]]);
    }
  });
});
