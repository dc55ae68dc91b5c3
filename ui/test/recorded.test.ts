/** The screens of every task, on what was recorded of it. Nothing here knows a number: each is asked of the recording. */
import { fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import { Double } from '../src/backend/double';
import { recorded, recording, type Recording } from '../src/backend/recorded';
import type { Prediction, RowQuery } from '../src/backend/types';
import type { App } from '../src/lib/app.svelte';
import { formats } from '../src/lib/format';
import { judge, spansOf, tagFates } from '../src/lib/mistakes';
import { scores } from '../src/lib/scores';
import { words } from '../src/words';
import { lookup } from '../src/words/lookup';
import { click, complaints, go, open } from './opened';

const TASKS = ['intent', 'entities', 'sql', 'hashtags'] as const;
const SETS = { intent: 'intents-it', entities: 'entities-it', sql: 'sql-it', hashtags: 'hashtags-it' };
const OTHERS = ['entities', 'sql', 'hashtags'] as const;
const r = words.en.results;

function runOf(task: (typeof TASKS)[number]): Recording {
  return recording(recorded(task)[0] ?? '', 'en');
}

/** Wrong answers as Results lists them: the surest first. */
function wrong(task: (typeof OTHERS)[number]): Recording['predictions'] {
  return runOf(task).predictions.filter((p) => p.score !== 1).sort((a, b) => b.probability - a.probability);
}

/** The window on a screen, with the run of a task. */
async function shown(task: (typeof OTHERS)[number], on: 'results' | 'try'): Promise<{ app: App; door: Double }> {
  const opened = await open();
  // what it shows by itself it has chosen by then
  await waitFor(() => expect(opened.app.selected).not.toBeNull());
  opened.app.show(runOf(task).row.path, on);
  return opened;
}

/** Opens Results on the run of a task; gives the answers that are listed. */
async function results(task: (typeof OTHERS)[number]): Promise<{ door: Double; answers: HTMLElement[] }> {
  const { door } = await shown(task, 'results');
  const { row, result } = runOf(task);
  const main = scores(result.metrics)[0];
  const hero = await screen.findByRole('region', { name: lookup(words.en.metrics, main?.key ?? '') });
  expect(hero.textContent).toContain(formats.en.percent(row.accuracy ?? 0));
  await waitFor(() => expect(document.querySelector('#answers span')?.textContent).toBe(formats.en.whole(wrong(task).length)));
  return { door, answers: [...document.querySelectorAll<HTMLElement>('.answers > ul > li')] };
}

/** Texts of what stands for tags. */
function tags(of: Element): string[] {
  return [...of.querySelectorAll('.tag')].map((tag) => tag.textContent.trim());
}

function part({ input }: Pick<Prediction, 'input'>, { start, end }: { start: number; end: number }): string {
  return Array.from(input).slice(start, end).join('');
}

describe('a recording', () => {
  it('is there for every task, in both languages and without a path of the machine it was made on', () => {
    for (const task of TASKS) {
      expect(recorded(task), task).not.toEqual([]);
      for (const name of recorded(task)) {
        const [en, it] = [recording(name, 'en'), recording(name, 'it')];
        expect([en.row.task, en.row.path, en.row.status, en.source]).toEqual([task, `runs/${name}`, 'completed', expect.objectContaining({ task, folder: `datasets/${SETS[task]}` })]);
        for (const one of [en, it]) expect(JSON.stringify(one), name).not.toMatch(/(?:^|["'\s=(])\/\w[\w.-]*\/\w|"(?:spoken|pieces)":/);
        expect(Object.keys(en.figures)).toEqual(expect.arrayContaining(['loss', 'comparison']));
        expect(en.page).toContain("style-src 'unsafe-inline';");
        expect(en.figures['comparison']?.alt).not.toBe(it.figures['comparison']?.alt);
        expect(en.events.map((event) => event.type)).toEqual(it.events.map((event) => event.type));
      }
    }
  });

  it('is played from its first event to its last, whichever task is chosen', async () => {
    for (const task of TASKS) {
      const door = new Double({ pace: 0 });
      const run = await door.startRun({ data: { task, folder: `datasets/${SETS[task]}` }, model: 'gemma-3-270m', method: 'auto', device: 'auto', seed: 0, set: [] }, new AbortController().signal);
      await vi.waitFor(async () => expect((await door.runs())[0]?.status).toBe('completed'), { timeout: 60_000 });
      const { events, row } = runOf(task);
      const told: unknown[] = [];
      await door.subscribe(run, 0, 'en', (batch) => told.push(...batch.events));
      expect(told, task).toEqual(events);
      expect((await door.runs())[0]?.accuracy).toBe(row.accuracy);
    }
  });

  it('has its report, with the figures in their places', async () => {
    const door = new Double();
    for (const task of TASKS) {
      for (const language of ['en', 'it'] as const) {
        const { html, sections } = await door.reportPage(runOf(task).row.path, language, ['training'], () => undefined, new AbortController().signal);
        expect(sections.map((section) => section.id)).toEqual(expect.arrayContaining(['summary', 'mistakes', 'training']));
        expect(html).toContain('<svg');
        expect(html).not.toMatch(/<!--\w+-->|id="training"/);
      }
    }
  });
});

describe('the results of entities', () => {
  it('show each sentence with its spans, and what became of them', async () => {
    const { answers } = await results('entities');
    const first = wrong('entities')[0] as Prediction;
    const [expected, answered] = [spansOf(first.expected) ?? [], spansOf(first.answer) ?? []];
    const said = answers[0] as HTMLElement;
    expect(said.querySelectorAll('mark')).toHaveLength(expected.length + answered.length);
    const faults = judge(expected, answered).filter(({ fate }) => fate !== 'hit');
    expect(faults).not.toEqual([]);
    const unread = first.answer === null ? [first.reason ?? r.noLabel] : [];
    expect(tags(said)).toEqual([...unread, ...faults.map(({ span, fate }) => `${r.fates[fate]}: ${part(first, span)} · ${span.type}`)]);
    if (first.answer !== null) expect(said.textContent).toContain(`${r.answer}: `);
    // and the scores of each type
    const { metrics } = runOf('entities').result;
    const types = metrics && 'per_type' in metrics ? Object.entries(metrics.per_type) : [];
    expect(types).toHaveLength(3);
    for (const [type, { precision, support }] of types) {
      const line = screen.getByRole('row', { name: new RegExp(`^${type}`) }).textContent;
      expect(line).toContain(formats.en.percent(precision));
      expect(line).toContain(formats.en.whole(support));
    }
    expect(await complaints()).toEqual([]);
  });

  it('open the answers with a kind of mistake from the bar of it', async () => {
    const { door } = await results('entities');
    const heading = await screen.findByRole('heading', { name: r.errors });
    const layer = within(heading.closest('figure') as HTMLElement).getByRole('slider', { name: r.openPoints });
    const { data } = await door.figure(runOf('entities').row.path, 'errors', 'en');
    const points = data.kind === 'entity_errors' ? data.pointer.points : [];
    const place = points.findIndex((point) => point.opens?.mistake?.kind === 'missed');
    expect(place).toBeGreaterThanOrEqual(0);
    for (let step = 0; step <= place; step += 1) await fireEvent.keyDown(layer, { key: 'ArrowRight' });
    await fireEvent.keyDown(layer, { key: 'Enter' });
    const { kind, type } = points[place]?.opens?.mistake ?? {};
    const missed = (p: Recording['predictions'][number]): boolean =>
      judge(spansOf(p.expected) ?? [], spansOf(p.answer) ?? []).some(({ span, fate }) => fate === kind && (type === undefined || span.type === type));
    await waitFor(() => expect(document.querySelector('#answers span')?.textContent).toBe(formats.en.whole(wrong('entities').filter(missed).length)));
  });
});

describe('the results of queries', () => {
  it('show what was expected and what was answered side by side, with what each finds', async () => {
    const { answers } = await results('sql');
    const first = wrong('sql')[0] as Prediction;
    const { queries } = runOf('sql');
    const said = answers[0] as HTMLElement;
    const both = [first.expected, first.answer ?? first.output];
    expect([...said.querySelectorAll('dd.mono')].map((query) => query.textContent)).toEqual(both);
    const found = both.map((sql) => queries[sql]);
    // what is expected finds something, as the set was checked
    expect(found[0]).toHaveProperty('columns');
    await waitFor(() => expect(said.querySelectorAll('.both table, .both [role=alert]')).toHaveLength(2));
    const tables = [...said.querySelectorAll('.both table')].map((table) => [...table.querySelectorAll('th')].map((head) => head.textContent));
    expect(tables).toEqual(found.flatMap((one) => (one && 'columns' in one ? [one.columns] : [])));
    for (const one of found) if (one && 'message' in one) expect(said.textContent).toContain(one.message);
    // what every query of the list finds was recorded
    await waitFor(() => expect(document.querySelector('.both[aria-busy="true"]')).toBeNull());
    expect(document.querySelector('.answers')?.textContent).not.toContain('was not recorded');
    expect(await complaints()).toEqual([]);
  });
});

describe('the results of hashtags', () => {
  it('show which were hit, missed and invented', async () => {
    const { answers } = await results('hashtags');
    const all = wrong('hashtags');
    const seen = answers.map((answer) => tags(answer.querySelector('ul') as Element));
    expect(seen).toEqual(all.slice(0, seen.length).map((p) => tagFates(p.expected, p.answer).map(({ tag, fate }) => `${tag} ${r.fates[fate]}`)));
    for (const fate of ['hit', 'missed', 'invented'] as const) expect(seen.flat().some((tag) => tag.endsWith(` ${r.fates[fate]}`)), fate).toBe(true);
    expect(await complaints()).toEqual([]);
  });
});

describe('data', () => {
  it('of each task that ships opens where its task is chosen, and shows answers in the way of the task', async () => {
    const { app, door } = await open();
    for (const task of OTHERS) {
      await go('Start');
      await click(screen.getByRole('radio', { name: new RegExp(`^${words.en.tasks[task].title}`) }));
      await waitFor(() => expect(app.data?.name).toBe(SETS[task]));
      await go('Data');
      const rows = Object.values(app.data?.splits ?? {}).reduce((sum, n) => sum + n, 0);
      await screen.findByText(`${rows} rows`);
      screen.getByRole('heading', { name: `${words.en.data.balance[task]} ${formats.en.whole(app.data?.labels.length ?? 0)}` });
      const query: RowQuery = { data: app.data?.id ?? '', offset: 0, limit: 1, filter: {}, search: '', sort: { by: 'row', descending: false } };
      const row = (await door.rows(query)).rows[0];
      const line = (): HTMLElement => document.querySelector('[aria-rowindex="2"]') as HTMLElement;
      await waitFor(() => expect(line().textContent).toContain(row?.text.split(' ')[0]));
      await click(line());
      const selected = await screen.findByRole('region', { name: words.en.data.selected });
      switch (row?.target.kind) {
        case 'entities': {
          const { spans } = row.target;
          await waitFor(() => expect(selected.querySelectorAll('.text mark')).toHaveLength(spans.length));
          break;
        }
        case 'sql': {
          const found = runOf('sql').queries[row.target.sql];
          const table = await within(selected).findByRole('table');
          expect(within(table).getAllByRole('columnheader').map((head) => head.textContent)).toEqual(found && 'columns' in found ? found.columns : []);
          break;
        }
        case 'hashtags':
          await waitFor(() => expect([...selected.querySelectorAll('.chips .tag')].map((tag) => tag.textContent)).toEqual(row.target.kind === 'hashtags' ? row.target.tags : []));
          break;
        default:
          throw new Error(`${task} has a row of another kind`);
      }
      // each name that answers are counted by leaves its rows
      const label = app.data?.labels[0];
      await click(screen.getByRole('button', { name: new RegExp(`^${label?.label ?? ''}`) }));
      await screen.findByText(`${(label?.train ?? 0) + (label?.validation ?? 0) + (label?.test ?? 0)} of ${rows} rows`);
      expect(await complaints(), task).toEqual([]);
    }
  });
});

describe('asking', () => {
  it('shows what both models answered, in the way of the task', async () => {
    const { app } = await shown('entities', 'try');
    for (const task of OTHERS) {
      const { row, asked } = runOf(task);
      const [first] = asked;
      expect(first, task).toBeDefined();
      app.selected = row.path;
      await click(await screen.findByRole('button', { name: first?.text ?? '' }));
      await waitFor(() => expect(screen.queryByRole('button', { name: 'Stop' })).toBeNull());
      const after = screen.getAllByRole('group', { name: words.en.try.tuned })[0] as HTMLElement;
      const label = first?.tuned.label ?? null;
      const spoken = after.querySelector('.spoken') as Element;
      if (label === null) expect(spoken.textContent).toContain(words.en.try.noAnswer);
      else if (task === 'entities') expect(spoken.querySelectorAll('mark')).toHaveLength(spansOf(label)?.length ?? -1);
      else if (task === 'hashtags') expect(tags(spoken)).toEqual(label.split(' ').filter((tag) => tag !== ''));
      else {
        expect(spoken.textContent).toContain(label);
        await waitFor(() => expect(spoken.querySelector('table, .bad')).not.toBeNull());
      }
      expect(await complaints(), task).toEqual([]);
    }
  });
});
