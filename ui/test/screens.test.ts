import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';
import card from '../../datasets/intents-it/dataset.toml?raw';
import AppView from '../src/App.svelte';
import type { Door } from '../src/backend/door';
import { Double } from '../src/backend/double';
import { recording } from '../src/backend/recorded';
import type { Figure, FigureData, PointerPlace, Progress } from '../src/backend/types';
import { App, SCREENS } from '../src/lib/app.svelte';
import { formats } from '../src/lib/format';
import { told } from '../src/lib/opened';
import { readings } from '../src/lib/reading';
import { classes } from '../src/lib/scores';
import { tellUnhandled } from '../src/lib/unhandled';
import { Work } from '../src/lib/work.svelte';
import { words } from '../src/words';
import { click, clicks, complaints, go, open } from './opened';

const HEAD = recording('head', 'en');
const METRICS = classes(HEAD.result.metrics);
const ACCURACY = formats.en.percent(METRICS?.accuracy ?? 0);
const STEPS = HEAD.events.find((e) => e.type === 'started')?.steps ?? 0;
const EVALUATIONS = HEAD.events.filter((e) => e.type === 'evaluation');
/** What says how far the recorded run is. */
const STEP = new RegExp(`^Step \\d+ of ${STEPS}$`);
const STEPPED = new RegExp(`^Step [1-9]\\d* of ${STEPS}$`);
/** The first mistake about a label. */
const MISTAKE = HEAD.predictions.find((p) => p.answer !== null && p.answer !== p.expected);
const CELL = words.en.results.cell(MISTAKE?.expected ?? '', MISTAKE?.answer ?? '', HEAD.predictions.filter((p) => p.expected === MISTAKE?.expected && p.answer === MISTAKE.answer).length);
/** The first text that was asked. */
const ASKED = HEAD.asked[0];

/** The button of the screen, not the one of the navigation. */
function startButton(): HTMLButtonElement {
  return within(screen.getByRole('main')).getByRole<HTMLButtonElement>('button', { name: 'Start' });
}

/** As it stands in the page, where a thin space is one. */
function spaced(text: string): string {
  return text.replaceAll(/\s/g, ' ');
}

/** What does not end before it is stopped; it tells that a quarter of it is done. */
function untilStopped(onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<never> {
  onProgress({ done: 1, total: 4, what: '' });
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(Object.assign(new Error(), { message: 'cancelled; nothing of it is left' }))));
}

/** Stops what a bar tells of, which says how far it is; whoever stopped it is told nothing. */
async function stop(name: string): Promise<void> {
  const told = (): HTMLProgressElement => screen.getByRole<HTMLProgressElement>('progressbar', { name });
  await waitFor(() => expect(told().position).toBe(0.25));
  expect(await complaints()).toEqual([]);
  await click(within(told().parentElement as HTMLElement).getByRole('button', { name: 'Stop' }));
  await waitFor(() => expect(screen.queryByRole('progressbar', { name })).toBeNull());
  expect(screen.queryByRole('alert')).toBeNull();
}

describe('a newcomer', () => {
  it('comes from the first start to an understood run in fewer than ten clicks and no typing', async () => {
    const { door } = await open({ first: true });
    expect(startButton().disabled).toBe(true);
    await click(screen.getByRole('button', { name: /^Accept terms and get/ }));
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false), { timeout: 30_000 });
    await click(start);
    await click(await screen.findByRole('button', { name: 'See the result' }, { timeout: 30_000 }));
    // the number, its interval, and what it must be held against
    const hero = await screen.findByRole('region', { name: words.en.metrics.accuracy });
    within(hero).getByText(spaced(ACCURACY));
    const [low, high] = (METRICS?.accuracy_ci ?? []).map(formats.en.percent);
    screen.getByText(spaced(words.en.results.interval(low ?? '', high ?? '')));
    screen.getByText('Before training');
    // and a mistake, one click away
    const cell = await screen.findByRole('button', { name: CELL });
    await click(cell);
    await screen.findByText(spaced(MISTAKE?.input ?? ''));
    expect(clicks()).toBeLessThan(10);
    expect(door.calls.filter((call) => call !== 'listening')).toEqual(['getModel', 'startRun']);
  });

  it('is told that a device is tried before it is used for the first time, and then what the run will cost', async () => {
    await open({ untried: 'Iris Xe', pace: 400 });
    await screen.findByText(words.en.start.checking('Iris Xe'));
    expect(await complaints()).toEqual([]);
    await screen.findByText(/about .* of memory$/);
    expect(screen.queryByText(words.en.start.checking('Iris Xe'))).toBeNull();
  });

  it('need not wait for the trial of a device, nor for the forecast, and may ask for both again', async () => {
    const { app, door } = await open();
    await screen.findByText(/about .* of memory$/);
    const [ready, forecast] = [door.readyDevice.bind(door), door.forecast.bind(door)];
    const untilStopped = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(Object.assign(new Error(), { message: 'no longer wanted' }))));
    door.readyDevice = (_device, onCheck, signal) => {
      onCheck('Iris Xe');
      return untilStopped(signal);
    };
    door.forecast = (_request, signal) => untilStopped(signal);
    const again = async (): Promise<void> => {
      await click(screen.getByRole('button', { name: 'Stop' }));
      await click(await screen.findByRole('button', { name: words.en.start.measure }));
    };
    app.device = 'gpu:0';
    await screen.findByText(words.en.start.checking('Iris Xe'));
    expect(await complaints()).toEqual([]);
    door.readyDevice = ready;
    await again();
    await screen.findByText(words.en.start.measuring);
    door.forecast = forecast;
    await again();
    await screen.findByText(/about .* of memory$/);
    expect([app.forecastFault, app.forecastStopped, screen.queryByRole('alert')]).toEqual([null, false, null]);
  });

  it('adds a device of another machine beside one, is told whose device will compute, and forgets it again', async () => {
    const { app } = await open({ elsewhere: ['attic:7370'] });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(screen.getByText(words.en.start.settings, { selector: 'summary' }));
    await click(screen.getByText(`: ${words.en.start.devices}`, { selector: 'summary span' }).parentElement as HTMLElement);
    const [address, token] = [await screen.findByLabelText(words.en.remote.address), screen.getByLabelText(words.en.remote.token)];
    const add = screen.getByRole<HTMLButtonElement>('button', { name: words.en.remote.add });
    expect(add.disabled).toBe(true);
    await fireEvent.input(address, { target: { value: ' WorkStation:7370' } });
    await fireEvent.input(token, { target: { value: 'wrong' } });
    await click(add);
    await screen.findByText(/does not take this token/);
    expect([app.devices.length, app.device]).toEqual([2, 'auto']);
    await fireEvent.input(token, { target: { value: 'right' } });
    await click(add);
    await screen.findByText(words.en.start.leadElsewhere('NVIDIA RTX A4000', 'workstation:7370'));
    expect([app.device, app.request?.device]).toEqual(['workstation:7370', 'workstation:7370']);
    screen.getByRole('option', { name: 'NVIDIA RTX A4000 (workstation:7370)' });
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: words.en.remote.forget('NVIDIA RTX A4000', 'workstation:7370') }));
    await screen.findByText(words.en.start.lead);
    expect([app.devices.length, app.device]).toEqual([2, 'auto']);
  });

  it('need not wait for another machine that does not answer, of which nothing is added then', async () => {
    const { app, door } = await open({ elsewhere: [] });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(screen.getByText(words.en.start.settings, { selector: 'summary' }));
    await click(screen.getByText(`: ${words.en.start.devices}`, { selector: 'summary span' }).parentElement as HTMLElement);
    const [address, token] = [await screen.findByLabelText<HTMLInputElement>(words.en.remote.address), screen.getByLabelText(words.en.remote.token)];
    await fireEvent.input(address, { target: { value: 'attic:7370' } });
    await fireEvent.input(token, { target: { value: 'right' } });
    const add = door.addDevice.bind(door);
    door.addDevice = (_address, _token, onProgress, signal) => untilStopped(onProgress, signal);
    const button = screen.getByRole<HTMLButtonElement>('button', { name: words.en.remote.add });
    await click(button);
    expect(button.disabled).toBe(true);
    await stop(words.en.remote.adding);
    expect([app.devices.length, app.device, address.value, button.disabled]).toEqual([1, 'auto', 'attic:7370', false]);
    door.addDevice = add;
    await click(button);
    await waitFor(() => expect([app.device, address.value]).toEqual(['attic:7370', '']));
  });

  it('is not offered to where there is no such thing', async () => {
    await open();
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(screen.getByText(words.en.start.settings, { selector: 'summary' }));
    await click(screen.getByText(`: ${words.en.start.devices}`, { selector: 'summary span' }).parentElement as HTMLElement);
    expect(screen.queryByLabelText(words.en.remote.address)).toBeNull();
  });

  it('who chooses another task is not left with the data of the one before', async () => {
    const { app } = await open();
    await waitFor(() => expect(startButton().disabled).toBe(false));
    app.set.set('train.epochs', '9');
    app.method = 'head';
    await click(screen.getByRole('radio', { name: /^Entities/ }));
    await waitFor(() => expect(app.data?.name).toBe('entities-it'));
    expect([app.method, app.set.size]).toEqual(['auto', 0]);
    // a task of one's own ships none
    await click(screen.getByRole('radio', { name: new RegExp(`^${words.en.tasks.custom.title}`) }));
    await screen.findByText(words.en.start.noData);
    expect([app.data, startButton().disabled]).toEqual([null, true]);
    await click(screen.getByRole('radio', { name: /^Intents/ }));
    await waitFor(() => expect(app.data?.name).toBe('intents-it'));
    await waitFor(() => expect(startButton().disabled).toBe(false));
  });

  it('reads in one line what will happen, and in the details of each card what it rests on', async () => {
    await open();
    const forecast = HEAD.events.find((e) => e.type === 'forecast');
    const costs = `about ${formats.en.about(forecast?.seconds ?? 0)}, ${formats.en.bytes(forecast?.peak_memory_bytes ?? 0)} of memory`;
    await screen.findByText(`120 messages, 12 intents, head on Gemma 3 270M, ${HEAD.run.device.name}, ${costs}`);
    for (const [of, told] of [['Task', 'Classification head, Completion'], ['Data', 'CC0-1.0'], ['Model', 'pypi.org'], ['what it will cost', '60 MB']] as const) {
      await click(screen.getByText(`: ${of}`, { selector: 'summary span' }).parentElement as HTMLElement);
      await waitFor(() => expect(screen.getByText(`: ${of}`).closest('details')?.textContent, of).toContain(told));
    }
    expect(await complaints()).toEqual([]);
  });

  it('is told the cost of what was chosen while a run was under way, when that has ended', async () => {
    const { app } = await open({ pace: 15 });
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    await screen.findByText(STEP);
    await go('Start');
    await screen.findByText(words.en.start.busy, { exact: false });
    expect(app.forecast).toBeNull();
    await screen.findByText(/about .* of memory$/, {}, { timeout: 30_000 });
    expect(app.active).toBeNull();
  });

  it('gives the token of an account where the source of a model asks for one', async () => {
    const { app, door } = await open({ first: true });
    app.model = 'gemma-3-1b-pt';
    await fireEvent.input(await screen.findByLabelText(words.en.models.token), { target: { value: ' hf_x ' } });
    await click(screen.getByRole('button', { name: /^Accept terms and get/ }));
    await waitFor(() => expect(door.calls).toContain('getModel with a token'));
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('is told why Start cannot be pressed', async () => {
    await open({ first: true });
    await screen.findByText(words.en.start.missingModel);
  });
});

describe('a setting', () => {
  it('has a name, what it does and a field of its kind; emptied, it is as the recipe says', async () => {
    const { app, door } = await open();
    const more = (await door.tasks()).map((task) => ({
      ...task,
      settings: [
        ...task.settings.filter(({ key }) => key.startsWith('train.') && key !== 'train.decay'),
        { key: 'recompute', kind: 'boolean' as const, value: 'false' },
        { key: 'train.decay', kind: 'string' as const, value: 'linear' },
        { key: 'lora.targets', kind: 'list' as const, value: '["q", "k"]' },
        { key: 'template.en', kind: 'string' as const, value: 'Message: {text}\nIntent:' },
        { key: 'method', kind: 'string' as const, value: 'head' },
      ],
    }));
    app.tasks = more;
    await click(screen.getByText(words.en.start.settings, { selector: 'summary' }));
    const epochs = await screen.findByLabelText<HTMLInputElement>('Passes over the data');
    const usual = HEAD.settings.find(({ key }) => key === 'train.epochs')?.value;
    expect([epochs.type, epochs.step, epochs.value]).toEqual(['number', '1', usual]);
    screen.getByText(words.en.recipe['train.epochs'].what, { exact: false });
    await fireEvent.change(epochs, { target: { value: '9' } });
    expect(app.changedSettings).toEqual(['train.epochs=9']);
    await fireEvent.change(epochs, { target: { value: '' } });
    expect([epochs.value, app.changedSettings]).toEqual([usual, []]);
    await click(screen.getByRole('switch', { name: 'Save memory' }));
    const decay = screen.getByLabelText<HTMLSelectElement>('How the rate falls');
    await fireEvent.change(decay, { target: { value: 'cosine' } });
    await fireEvent.change(screen.getByLabelText('Where the adapters sit'), { target: { value: '["q"]' } });
    // a prompt keeps its lines
    const prompt = screen.getByLabelText<HTMLTextAreaElement>('Prompt (en)');
    expect(prompt.value).toBe('Message: {text}\nIntent:');
    expect(app.changedSettings).toEqual(['recompute=true', 'train.decay=cosine', 'lora.targets=["q"]']);
    const seed = screen.getByLabelText<HTMLInputElement>('Seed');
    await fireEvent.change(seed, { target: { value: '7' } });
    expect(app.request?.seed).toBe(7);
    await fireEvent.change(seed, { target: { value: '' } });
    expect([seed.value, app.request?.seed]).toEqual(['0', 0]);
    // the method has a field of its own
    expect(screen.getAllByText('Method', { selector: 'label span' })).toHaveLength(1);
    expect(await complaints()).toEqual([]);
  });
});

describe('every screen', () => {
  for (const language of ['en', 'it'] as const) {
    it(`has nothing that axe complains about, in ${language}`, async () => {
      await open({ settings: { language } });
      for (const name of SCREENS) {
        await go(words[language].screens[name]);
        await waitFor(() => expect(screen.getByRole('heading', { level: 1 })).toBeTruthy());
        await new Promise((done) => setTimeout(done, 80));
        expect(await complaints(), name).toEqual([]);
      }
    });
  }

  it('has nothing that axe complains about at the first start, while a run learns, waits and has failed', async () => {
    const { app, door } = await open({ first: true, pace: 15, failAt: 50 });
    expect(await complaints(), 'first start').toEqual([]);
    await app.getModel('gemma-3-270m');
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findByText(STEP);
    await door.pauseRun('runs/run-1');
    await screen.findByText(words.en.train.waits);
    expect(await complaints(), 'a run that waits').toEqual([]);
    await app.control('runs/run-1', 'resume');
    await screen.findByRole('button', { name: 'Pause' });
    expect(await complaints(), 'a run that learns').toEqual([]);
    await screen.findAllByText(/ran out of memory/, {}, { timeout: 30_000 });
    expect(await complaints(), 'a run that failed').toEqual([]);
    await go('Start');
    await screen.findByText(words.en.start.brokeLead, { exact: false });
    expect(await complaints(), 'the start after it').toEqual([]);
  });

  it('says that there is too little memory, and offers what was measured to fit', async () => {
    const { app } = await open({ tight: true });
    await screen.findByText(/^This needs [\d.]+ [MG]B of memory, and 1(\.0)? GB are free/);
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: 'Train with Examples at once 2, Batches a step 4, which was measured to fit' }));
    expect(app.changedSettings).toEqual(['train.batch=2', 'train.accumulate=4']);
  });

  it('says what goes there when there is nothing', async () => {
    await open({ first: true });
    for (const name of ['train', 'results', 'try', 'compare', 'report'] as const) {
      await go(words.en.screens[name]);
      screen.getByText(words.en[name].emptyLead);
      expect(await complaints(), name).toEqual([]);
    }
  });

  it('is reached by the keyboard', async () => {
    const { app } = await open();
    for (const [i, name] of SCREENS.entries()) {
      await fireEvent.keyDown(window, { key: String(i + 1), ctrlKey: true });
      expect(app.screen).toBe(name);
    }
  });
});

describe('a run', () => {
  it('is paused, goes on and ends; a reopened window finds it', async () => {
    const { door } = await open({ pace: 15 });
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    await screen.findByText(STEP);
    await click(await screen.findByRole('button', { name: 'Pause' }));
    await screen.findByRole('button', { name: 'Go on' });
    cleanup();
    // another window on the same engine
    const again = new App(door);
    render(AppView, { app: again });
    await click(await screen.findByRole('button', { name: 'Go on' }));
    await screen.findByText(words.en.train.done, {}, { timeout: 30_000 });
    expect(again.active).toBeNull();
  });

  it('shows its result while what it is held against is still being asked', async () => {
    const { app } = await open({ pace: 100 });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findByText(STEP);
    const story = app.story('runs/run-1');
    story.take({ run: 'runs/run-1', from: story.next, events: [{ type: 'scored', step: STEPS, system: 'model', metrics: { accuracy: 0.5 }, examples: 156, of: 156, remembered: false }] });
    await screen.findByText(words.en.train.comparing);
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: words.en.train.seeNow }));
    expect(app.screen).toBe('results');
  });

  it('that is being started can be stopped, and is not forgotten where the screen is left', async () => {
    const { app, door } = await open();
    await screen.findByText(/about .* of memory$/);
    const start = door.startRun.bind(door);
    let begin: () => void = () => undefined;
    door.startRun = (request, signal) =>
      new Promise((resolve, reject) => {
        begin = () => void start(request, signal).then(resolve, reject);
        signal.addEventListener('abort', () => reject(Object.assign(new Error(), { message: 'stopped before it began' })));
      });
    await click(startButton());
    await screen.findByText(words.en.start.starting);
    await go('Models');
    await go('Start');
    expect(startButton().disabled).toBe(true);
    screen.getByText(words.en.start.starting);
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(startButton().disabled).toBe(false));
    expect([app.startFault, app.toasts, screen.queryByRole('alert')]).toEqual([null, [], null]);
    // whoever has gone elsewhere is told, and stays there
    await click(startButton());
    await screen.findByText(words.en.start.starting);
    await go('Models');
    begin();
    await screen.findByText(words.en.start.begun);
    expect(app.screen).toBe('models');
    await click(screen.getByRole('button', { name: words.en.start.toRun }));
    expect([app.screen, app.selected]).toEqual(['train', 'runs/run-1']);
  });

  it('that is being taken up again can be left as it was', async () => {
    const { app, door } = await open({ cutOffAt: 30 });
    await screen.findByText(/about .* of memory$/);
    door.resumeRun = (_run, _device, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(Object.assign(new Error(), { message: 'stopped before it began' }))));
    await click((await screen.findAllByRole('button', { name: 'Go on with cut-off' }))[0] as HTMLElement);
    await screen.findByText(words.en.train.preparing);
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(app.resuming).toBeNull());
    await screen.findByText(/^Cut off\. It goes on from step/);
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('that is being measured does not wait, and the measuring can be stopped', async () => {
    const { app, door } = await open({ pace: 100 });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findByText(STEP);
    let stops = 0;
    door.stopRun = () => {
      stops += 1;
      return Promise.resolve();
    };
    await click(screen.getByRole('button', { name: words.en.train.stop }));
    expect((await screen.findByRole<HTMLButtonElement>('button', { name: words.en.train.stopping })).disabled).toBe(true);
    const story = app.story('runs/run-1');
    story.take({ run: 'runs/run-1', from: story.next, events: [{ type: 'answering', system: 'model', done: 16, of: 156, seconds: 8 }] });
    await screen.findByText(words.en.train.answers('This run', 16, 156));
    screen.getByText(words.en.train.left('1 min'));
    expect(screen.queryByRole('button', { name: words.en.train.pause })).toBeNull();
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: words.en.train.stopMeasuring }));
    expect((await screen.findByRole<HTMLButtonElement>('button', { name: words.en.train.ending })).disabled).toBe(true);
    expect(stops).toBe(2);
  });

  it('that was cut off is offered at the start, and goes on to its end', async () => {
    const { app } = await open({ pace: 5, cutOffAt: 30 });
    // above everything, and in its row
    const offers = await screen.findAllByRole('button', { name: 'Go on with cut-off' });
    expect(offers).toHaveLength(2);
    expect(await complaints()).toEqual([]);
    await click(offers[0] as HTMLElement);
    expect(app.screen).toBe('train');
    await screen.findByText(words.en.train.done, {}, { timeout: 30_000 });
    await waitFor(() => expect(app.runs.find((run) => run.path === 'runs/cut-off')?.status).toBe('completed'));
  });

  it('whose device was lost says why and goes on with another one', async () => {
    const { app, door } = await open({ pace: 5, loseAt: 30 });
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    await screen.findByText(words.en.train.lost, {}, { timeout: 30_000 });
    screen.getByText(/A card\) was lost while it computed .*, and the run waits$/);
    expect(screen.queryByText(/lapidary resume/)).toBeNull();
    expect([app.active, app.runs[0]?.status]).toEqual([null, 'lost']);
    expect(await complaints()).toEqual([]);
    // at the start it is offered, and the device is chosen on Train
    await go('Start');
    screen.getByText(words.en.start.lostLead, { exact: false });
    await click(screen.getAllByRole('button', { name: 'Go on with run-1' })[0] as HTMLElement);
    expect(app.screen).toBe('train');
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: words.en.train.goOnOn }).value).toBe('cpu');
    await click(screen.getByRole('button', { name: 'Go on' }));
    await screen.findByText(words.en.train.done, {}, { timeout: 30_000 });
    expect(door.calls).toContain('resumeRun on cpu');
    expect(screen.queryByText(words.en.train.lost)).toBeNull();
  });

  it('is paused and taken up again by the keyboard, and stopped while it waits', async () => {
    const { app } = await open({ pace: 15 });
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    await screen.findByText(STEPPED);
    await fireEvent.keyDown(window, { key: 'p', ctrlKey: true });
    await screen.findByText(words.en.train.waits);
    await fireEvent.keyDown(window, { key: 'p', ctrlKey: true });
    await screen.findByRole('button', { name: 'Pause' });
    await fireEvent.keyDown(window, { key: 'p', ctrlKey: true });
    await screen.findByText(words.en.train.waits);
    await click(screen.getByRole('button', { name: 'Stop and keep the best' }));
    await screen.findByText(words.en.train.stopped);
    await waitFor(() => expect(app.active).toBeNull());
  });

  it('is said to wait once its last step is shown, however soon the list of runs knows', async () => {
    const { app, door } = await open({ pace: 15 });
    const subscribe = door.subscribe.bind(door);
    let held: (() => void)[] | null = null;
    door.subscribe = (run, from, language, take) =>
      subscribe(run, from, language, (batch) => {
        if (held) held.push(() => take(batch));
        else take(batch);
      });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findByText(STEPPED);
    held = [];
    await app.control('runs/run-1', 'pause');
    await screen.findByRole('button', { name: 'Go on' });
    expect(screen.queryByText(words.en.train.waits)).toBeNull();
    for (const release of held.splice(0)) release();
    await screen.findByText(words.en.train.waits);
  });

  it('on a graphics device shows what it holds of the memory there, and of that alone how much there is', async () => {
    const { app, door } = await open({ pace: 15 });
    const subscribe = door.subscribe.bind(door);
    let tells = true;
    door.subscribe = (run, from, language, take) =>
      subscribe(run, from, language, (batch) => {
        const events = batch.events.map((e) =>
          e.type === 'started' ? { ...e, device: 'gpu:0' } : e.type === 'step' && tells ? { ...e, memory_bytes: 1e9, device_memory_bytes: 3e9 } : e,
        );
        take({ ...batch, events });
      });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    app.devices = app.devices.map((d) => ({ ...d, id: 'gpu:0', kind: 'gpu', memory_bytes: 8e9 }));
    await screen.findByText(words.en.train.memoryThere);
    screen.getByText(app.format.bytes(3e9));
    await screen.findByText(words.en.train.limit(app.format.bytes(8e9)));
    tells = false;
    await waitFor(() => expect(screen.queryByText(words.en.train.memoryThere)).toBeNull());
    expect(screen.queryByText(app.format.bytes(8e9), { exact: false })).toBeNull();
  });

  it('that was stopped is gone on with from what says so, and again from its row', async () => {
    const { app } = await open({ pace: 15 });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findByText(STEPPED);
    await click(screen.getByRole('button', { name: 'Stop and keep the best' }));
    const stopped = await within(screen.getByRole('region', { name: 'Lapidary' })).findByText(words.en.train.stopped);
    await click(within(stopped.parentElement as HTMLElement).getByRole('button', { name: 'Go on' }));
    await waitFor(() => expect(app.active?.path).toBe('runs/run-1'));
    await click(await screen.findByRole('button', { name: 'Stop and keep the best' }));
    await waitFor(() => expect(app.active).toBeNull());
    await go('Start');
    // whoever stopped it is not reminded above everything
    const [offer, ...more] = await screen.findAllByRole('button', { name: 'Go on with run-1' });
    expect(more).toEqual([]);
    await click(offer as HTMLElement);
    await screen.findByText(words.en.train.done, {}, { timeout: 30_000 });
    expect(app.runs.find((run) => run.path === 'runs/run-1')?.status).toBe('completed');
  });

  it('on data without a part does not say that it was measured on it, nor that answers are to come', async () => {
    const { app, door } = await open();
    const ask = door.run.bind(door);
    let parts: string[] = [];
    door.run = async (path, language) => {
      const run = await ask(path, language);
      const files = Object.fromEntries(Object.entries(run.run.data.files).filter(([part]) => parts.includes(part)));
      const result = run.result && parts.length === 1 ? { ...run.result, metrics: null } : run.result;
      return { ...run, run: { ...run.run, data: { ...run.run.data, files } }, result };
    };
    await waitFor(() => expect(app.selected).not.toBeNull());
    const path = app.selected as string;
    const t = words.en.train;
    for (const [files, events, said] of [
      [['train', 'validation', 'test'], ['evaluation', 'completed'], `${t.keptBest} ${t.measuredOn.test}`],
      [['train', 'validation'], ['evaluation', 'completed'], `${t.keptBest} ${t.measuredOn.validation}`],
      [['train'], ['completed'], `${t.keptLast} ${t.measuredOn.none}`],
    ] as const) {
      parts = [...files];
      const follow = door.subscribe.bind(door);
      door.subscribe = (run, from, language, onBatch) =>
        follow(run, from, language, (batch) => {
          const kept = batch.events.filter((e) => !['evaluation', 'completed'].includes(e.type) || (events as readonly string[]).includes(e.type));
          onBatch({ ...batch, events: kept.map((e) => (e.type === 'completed' && files.length === 1 ? { ...e, metrics: {} } : e)) });
        });
      app.story('runs/completion');
      app.show(path, 'train');
      await screen.findByText((_, element) => element?.matches('.done p') === true && element.textContent.replace(/\s+/g, ' ').startsWith(said));
      door.subscribe = follow;
      await go('Start');
    }
    app.show(path, 'results');
    await screen.findByText(words.en.results.unmeasuredLead);
    expect(screen.queryByText(words.en.results.unfinished)).toBeNull();
    expect(await complaints()).toEqual([]);
  });

  it('that failed is gone on with, from Train and from above everything', async () => {
    const { app } = await open({ pace: 5, failAt: 5 });
    let failures = 0;
    const tell = app.tell.bind(app);
    app.tell = (text, options) => {
      if (options?.bad) failures += 1;
      return tell(text, options);
    };
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findAllByText(/ran out of memory/, {}, { timeout: 30_000 });
    within(screen.getByRole('main')).getByRole('button', { name: 'Go on' });
    await go('Start');
    await screen.findByText(words.en.start.brokeLead, { exact: false });
    await click((await screen.findAllByRole('button', { name: 'Go on with run-1' }))[0] as HTMLElement);
    await screen.findByText(words.en.train.done, {}, { timeout: 30_000 });
    // its earlier end is told in the log, and is not told again as its end
    expect(failures).toBe(1);
    await waitFor(() => expect(app.active).toBeNull());
  });

  it('shows what the model says of the same few examples, evaluation by evaluation', async () => {
    await open();
    await go('Train');
    const says = await screen.findByRole('region', { name: words.en.train.says });
    await within(says).findByText(words.en.train.saysNote(STEPS));
    within(says).getByText(EVALUATIONS[0]?.samples[0]?.input ?? '');
    // every evaluation of each example
    const history = (): string[] => within(within(says).getAllByRole('list')[1] as HTMLElement).getAllByRole('listitem').map((item) => item.textContent);
    expect(history()).toEqual(EVALUATIONS.map(({ step, samples: [one] }) => words.en.train.saidAt(step, one?.answer ?? one?.output ?? '')));
    expect(await complaints()).toEqual([]);
  });

  it('shows the numbers behind its curve as a table, which is copied whole', async () => {
    await open();
    let copied = '';
    Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: (text: string) => ((copied = text), Promise.resolve()) } });
    await go('Train');
    await click((await screen.findByText(/^: Training loss by step$/)).parentElement as HTMLElement);
    const table = await screen.findByRole('region', { name: 'Training loss by step' });
    // the first evaluation comes before the first step, and a line names the columns
    expect(within(table).getAllByRole('row')).toHaveLength(STEPS + 2);
    await click(within(table.parentElement as HTMLElement).getByRole('button', { name: words.en.compare.copy }));
    const last = readings(HEAD.figures['loss']?.data as FigureData, STEPS, words.en.train, formats.en).map((read) => read.value);
    expect(last).toHaveLength(3);
    await waitFor(() => expect(copied.split('\n').at(-1)).toBe([STEPS, ...last].join('\t')));
  });

  it('has all that a tile and the log stand for in their details', async () => {
    await open();
    await go('Train');
    const details = async (of: string): Promise<HTMLElement> => {
      const word = (await screen.findByText(`: ${of}`, { selector: 'summary span' })).parentElement as HTMLElement;
      await click(word);
      return word.parentElement as HTMLElement;
    };
    const loss = await details('Training loss');
    await waitFor(() => expect(loss.textContent).toMatch(/Learning rate.*Gradient norm.*Targets of this step/));
    const validation = await details('Validation loss');
    await waitFor(() => expect(within(validation).getAllByRole('row')).toHaveLength(EVALUATIONS.length + 1));
    const log = await details(words.en.train.log);
    await waitFor(() => expect(within(log).getAllByRole('row', { name: /Evaluation/ })).toHaveLength(EVALUATIONS.length));
    within(log).getByRole('row', { name: /Ended Completed/ });
    expect(await complaints()).toEqual([]);
  });

  it('that failed is not called healthy', async () => {
    await open({ failAt: 5 });
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    await screen.findAllByText(/ran out of memory/, {}, { timeout: 30_000 });
    expect(screen.queryByText(words.en.train.healthy)).toBeNull();
  });

  it('tells its health in the language of the window, and again when that changes', async () => {
    const { door } = await open();
    const told = { en: 'The loss has run away', it: 'La perdita è sfuggita' };
    const follow = door.subscribe.bind(door);
    door.subscribe = (run, from, language, onBatch) =>
      follow(run, from, language, (batch) => {
        const health = { type: 'health' as const, step: 7, ok: false, symptom: null, remedy: 'none' as const, seen: '', message: told[language] };
        onBatch({ ...batch, events: batch.events.map((event) => (event.type === 'checkpoint' ? health : event)) });
      });
    await go('Train');
    await screen.findAllByText(new RegExp(told.en));
    await fireEvent.change(screen.getByLabelText('Language'), { target: { value: 'it' } });
    await screen.findAllByText(new RegExp(told.it));
    expect(screen.queryByText(new RegExp(told.en))).toBeNull();
  });

  it('that is well but for what is worth knowing of its examples is not called sick', async () => {
    const { app } = await open();
    await go('Train');
    await screen.findByText(words.en.train.healthy);
    const story = app.story('runs/head');
    const health = (step: number, symptom: 'few_targets' | 'diverging'): void =>
      story.take({ run: story.run, from: story.next, events: [{ type: 'health', step, ok: false, symptom, remedy: 'none', seen: '', message: `message of ${symptom}` }] });
    const line = (): HTMLElement | null => document.querySelector<HTMLElement>('.health');
    health(12, 'few_targets');
    await waitFor(() => expect([line()?.className.includes('warn'), line()?.textContent.trim()]).toEqual([true, 'Found at step 12: message of few_targets']));
    health(40, 'diverging');
    await waitFor(() => expect([line()?.className.includes('bad'), line()?.textContent.trim()]).toEqual([true, 'Since step 40: message of diverging']));
  });

  it('has its details too where it was cut off, where it waits for a device, and in the table of its labels', async () => {
    const { app } = await open({ pace: 5, cutOffAt: 30, loseAt: 40 });
    const details = async (of: string): Promise<string> => {
      const word = (await screen.findByText(`: ${of}`, { selector: 'summary span' })).parentElement as HTMLElement;
      await click(word);
      await waitFor(() => expect(word.parentElement?.querySelector('dl, table')).not.toBeNull());
      return word.parentElement?.textContent ?? '';
    };
    expect(await details('cut-off')).toMatch(/Model.*gemma-3-270m.*Status.*Interrupted.*runs\/cut-off/);
    expect(await complaints()).toEqual([]);
    await click(screen.getAllByRole('button', { name: 'Go on with cut-off' })[0] as HTMLElement);
    await screen.findByText(words.en.train.lost, {}, { timeout: 30_000 });
    expect(await details(words.en.train.lost)).toMatch(/Device.*cpu.*Steps.*runs\/cut-off/);
    expect(await complaints()).toEqual([]);
    app.show('runs/head', 'results');
    expect(await details(words.en.results.perLabel)).toMatch(/account_access.*0\.\d{5,}/);
    expect(await complaints()).toEqual([]);
  });

  it('that cannot wait says why next to where that was asked', async () => {
    const { app, door } = await open({ pace: 15 });
    door.pauseRun = () => Promise.reject(Object.assign(new Error(), { message: 'the run ends already' }));
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    await screen.findByText(STEP);
    await click(await screen.findByRole('button', { name: 'Pause' }));
    const alert = await screen.findByRole('alert');
    expect(alert.closest('main')).not.toBeNull();
    expect(alert.textContent).toContain('the run ends already');
    expect(app.toasts).toEqual([]);
  });

  it('whose story cannot be read says why, and not that it is being loaded', async () => {
    const { door } = await open();
    door.subscribe = () => Promise.reject(Object.assign(new Error(), { message: 'events.jsonl:3: is no event' }));
    await go('Train');
    expect((await screen.findByRole('alert')).textContent).toContain('events.jsonl:3: is no event');
    expect(screen.queryByText(words.en.train.preparing)).toBeNull();
  });

  it('that fails says why', async () => {
    await open({ failAt: 5 });
    const start = startButton();
    await waitFor(() => expect(start.disabled).toBe(false));
    await click(start);
    const alert = await screen.findByRole('alert', {}, { timeout: 30_000 });
    expect(alert.textContent).toContain('the device ran out of memory; choose a smaller batch');
  });

  it('reads its curve by the keyboard', async () => {
    await open();
    await go('Train');
    const curve = await screen.findByRole('slider', { name: `Training loss by step. ${words.en.train.read}` });
    await fireEvent.keyDown(curve, { key: 'End' });
    const [step, evaluation] = [HEAD.events.findLast((e) => e.type === 'step'), EVALUATIONS.at(-1)];
    expect(curve.getAttribute('aria-valuetext')).toMatch(
      new RegExp(`^Step ${STEPS}: training ${formats.en.exact(step?.loss)}, smoothed 0\\.\\d+, validation ${formats.en.exact(evaluation?.loss)}$`),
    );
    await fireEvent.keyDown(curve, { key: 'ArrowLeft' });
    expect(curve.getAttribute('aria-valuenow')).toBe(String(STEPS - 1));
  });

  it('reads what it used by step, too, with all digits', async () => {
    await open();
    await go('Train');
    const { name } = HEAD.figures['learning_rate']?.data as { name: string };
    const rate = await screen.findByRole('slider', { name: `${name}. ${words.en.train.read}` });
    await fireEvent.keyDown(rate, { key: 'Home' });
    const first = HEAD.events.find((e) => e.type === 'step');
    expect(rate.getAttribute('aria-valuetext')).toBe(`Step 1: ${name} ${formats.en.exact(first?.learning_rate)}`);
    // the pointer finds the same step where it was drawn
    rate.getBoundingClientRect = () => new DOMRect(0, 0, 360, 190);
    await fireEvent(rate, new MouseEvent('pointermove', { clientX: 346, clientY: 100, bubbles: true }));
    expect(rate.getAttribute('aria-valuenow')).toBe(String(STEPS));
    expect(await complaints()).toEqual([]);
  });
});

describe('data', () => {
  it('is searched, relabelled, and the change undone', async () => {
    const { app } = await open();
    await go('Data');
    await screen.findByText('300 rows');
    await fireEvent.input(screen.getByRole('searchbox'), { target: { value: 'tornerà disponibile il tostapane' } });
    await screen.findByText(/^1 of 300 rows$/);
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    const label = await within(screen.getByRole('region', { name: 'Selected row' })).findByLabelText<HTMLSelectElement>('Label');
    expect(label.value).toBe('product_availability');
    await fireEvent.change(label, { target: { value: 'product_info' } });
    await screen.findByText('1 change, used in training; the files stay as they are');
    expect(app.data?.labels.find((l) => l.label === 'product_info')?.train).toBe(11);
    await click(screen.getAllByRole('button', { name: 'Undo' })[0] as HTMLElement);
    await waitFor(() => expect(app.data?.labels.find((l) => l.label === 'product_info')?.train).toBe(10));
  });

  it('is deleted from, added to, made again, filtered by what was changed, and exported', async () => {
    const { app, door } = await open();
    await go('Data');
    await screen.findByText('300 rows');
    await fireEvent.input(screen.getByRole('searchbox'), { target: { value: 'tornerà disponibile il tostapane' } });
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    await click(await screen.findByRole('button', { name: 'Delete row' }));
    await screen.findByText('No row matches.');
    // the keyboard is not lost with the button that had it
    expect(document.activeElement).toBe(screen.getByRole('grid'));
    await fireEvent.keyDown(window, { key: 'z', ctrlKey: true });
    await screen.findByText(/^1 of 300 rows$/);
    await fireEvent.keyDown(window, { key: 'y', ctrlKey: true });
    await screen.findByText(/^0 of 299 rows$/);

    await click(screen.getByRole('button', { name: 'Add a row' }));
    const fresh = screen.getByRole('region', { name: 'New row' });
    expect(within(fresh).getByRole<HTMLButtonElement>('button', { name: 'Add' }).disabled).toBe(true);
    await fireEvent.input(within(fresh).getByLabelText('Text'), { target: { value: 'dove sta il tostapane' } });
    await fireEvent.change(within(fresh).getByLabelText('Label'), { target: { value: 'order_tracking' } });
    expect(await complaints()).toEqual([]);
    await click(within(fresh).getByRole('button', { name: 'Add' }));
    await click(await screen.findByRole('button', { name: '2 changes of yours' }));
    await click(screen.getByRole('button', { name: 'Show all rows' }));
    await click(screen.getByRole('button', { name: '2 changes of yours' }));
    await screen.findByText('dove sta il tostapane');
    expect(app.data?.labels.find((l) => l.label === 'order_tracking')?.train).toBe(11);

    const formats = screen.getByLabelText<HTMLSelectElement>('Format of the export');
    expect([...formats.options].map((option) => option.text)).toEqual(['JSON Lines', 'CSV', 'a-newer-format']);
    await fireEvent.change(formats, { target: { value: 'csv' } });
    await click(screen.getByRole('button', { name: 'Export the edited set…' }));
    await screen.findByText('Written to datasets/intents-it/intents-it-edited');
    expect(door.calls).toContain('exportData csv');
  });

  it('is checked after a change; whoever stops that keeps what was found before, and may ask for it again', async () => {
    const { app, door } = await open({ pace: 60 });
    const check = door.checkData.bind(door);
    const signals: AbortSignal[] = [];
    door.checkData = (data, onProgress, signal) => {
      signals.push(signal);
      return check(data, onProgress, signal);
    };
    await go('Data');
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    const move = async (to: string): Promise<void> => {
      await fireEvent.change(within(screen.getByRole('region', { name: 'Selected row' })).getByLabelText('Part'), { target: { value: to } });
    };
    const bar = { name: words.en.data.checking };
    await move('validation');
    await screen.findByRole('progressbar', bar);
    // of the rows before another change nobody wants to know any more
    await move('test');
    await waitFor(() => expect(signals.map((signal) => signal.aborted)).toEqual([true, false]));
    await waitFor(() => expect(screen.getByRole<HTMLProgressElement>('progressbar', bar).max).toBe(300));
    expect(await complaints()).toEqual([]);
    const before = app.data;
    await click(screen.getByRole('button', { name: 'Stop' }));
    const again = await screen.findByRole('button', { name: words.en.data.check });
    expect([screen.queryByRole('progressbar', bar), screen.queryByRole('alert'), app.data === before]).toEqual([null, null, true]);
    await click(again);
    await screen.findByRole('progressbar', bar);
    await waitFor(() => expect(screen.queryByRole('progressbar', bar)).toBeNull());
    expect([app.data === before, screen.queryByRole('button', { name: words.en.data.check })]).toEqual([false, null]);
  });

  it('is sorted and searched, or stays as it was sorted and searched where a person stops that', async () => {
    const { door }: { door: Door } = await open();
    await go('Data');
    await screen.findByText('300 rows');
    const [grid, search] = [screen.getByRole('grid'), screen.getByRole<HTMLInputElement>('searchbox')];
    const column = (): HTMLElement => within(grid).getByRole('columnheader', { name: 'Text' });
    const texts = (): (string | null)[] => within(grid).getAllByRole('row').slice(1, 5).map((row) => row.textContent);
    const before = texts();
    const ask = door.rows.bind(door);
    let asked = 0;
    door.rows = (_query, onProgress, signal) => {
      asked += 1;
      return untilStopped(onProgress, signal);
    };
    await click(within(column()).getByRole('button'));
    await waitFor(() => expect(column().getAttribute('aria-sort')).toBe('ascending'));
    await stop(words.en.data.looking);
    expect([column().getAttribute('aria-sort'), texts()]).toEqual(['none', before]);
    await fireEvent.input(search, { target: { value: 'pacco' } });
    await stop(words.en.data.looking);
    expect([search.value, texts()]).toEqual(['', before]);
    await click(screen.getByRole('radio', { name: /^Test/ }));
    await stop(words.en.data.looking);
    screen.getByText('300 rows');
    // what is on show is not asked for again
    await new Promise((done) => setTimeout(done, 100));
    expect([asked, screen.queryByText(words.en.data.stale)]).toEqual([3, null]);
    // rows that are copied are stopped by themselves
    await click(screen.getByRole('button', { name: words.en.data.copyRows }));
    await stop(words.en.data.copying);
    door.rows = ask;
    await click(within(column()).getByRole('button'));
    await waitFor(() => expect(texts()).not.toEqual(before));
    expect(column().getAttribute('aria-sort')).toBe('ascending');
  });

  it('says that its rows are those of before a change where a person stopped what would bring them', async () => {
    const { door }: { door: Door } = await open();
    await go('Data');
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    const ask = door.rows.bind(door);
    door.rows = (query, onProgress, signal) => (query.limit === 1 ? ask(query, onProgress, signal) : untilStopped(onProgress, signal));
    await click(await screen.findByRole('button', { name: 'Delete row' }));
    await stop(words.en.data.looking);
    // until the check of the changed rows is done, whose answer is asked for, too
    if (screen.queryByText(words.en.data.stale) === null) await stop(words.en.data.looking);
    await screen.findByText(words.en.data.stale);
    screen.getByText('300 of 299 rows');
    expect(await complaints()).toEqual([]);
    door.rows = ask;
    await click(screen.getByRole('button', { name: words.en.retry }));
    await screen.findByText('299 rows');
    expect(screen.queryByText(words.en.data.stale)).toBeNull();
  });

  it('is as it was where a person stops a change, or the taking back of one, that waits', async () => {
    const { app, door }: { app: App; door: Door } = await open();
    await go('Data');
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    const remove = (): Promise<void> => click(screen.getByRole('button', { name: 'Delete row' }));
    const [edit, undo, redo] = [door.editRow.bind(door), door.undoEdit.bind(door), door.redoEdit.bind(door)];
    const waits = (_data: string, ...more: unknown[]): Promise<never> => untilStopped(...(more.slice(-2) as [(progress: Progress) => void, AbortSignal]));
    const unchanged = async (act: () => Promise<void>): Promise<void> => {
      const before = app.data;
      const said = app.toasts.length;
      await act();
      await stop(words.en.data.changing);
      expect([app.data === before, app.toasts.length <= said]).toEqual([true, true]);
    };
    await screen.findByRole('button', { name: 'Delete row' });
    door.editRow = waits;
    await unchanged(remove);
    screen.getByText('300 rows');
    door.editRow = edit;
    await remove();
    await screen.findByText('299 rows');
    await waitFor(() => expect(screen.queryByRole('progressbar')).toBeNull());
    const button = (name: string): Promise<HTMLElement> => screen.findByRole('button', { name });
    const head = within(document.querySelector('header') as HTMLElement);
    door.undoEdit = waits;
    await unchanged(() => click(head.getByRole('button', { name: 'Undo' })));
    door.undoEdit = undo;
    await click(head.getByRole('button', { name: 'Undo' }));
    await screen.findByText('300 rows');
    await waitFor(() => expect(screen.queryByRole('progressbar')).toBeNull());
    door.redoEdit = waits;
    await unchanged(async () => click(await button('Redo')));
    door.redoEdit = redo;
    await click(await button('Redo'));
    await screen.findByText('299 rows');
  });

  it('is measured and described, or not where a person stops that, who may ask for it again', async () => {
    const { app, door }: { app: App; door: Door } = await open();
    if (!app.capabilities) throw new Error('not open');
    const [measure, describe] = [door.lengths.bind(door), door.describeData.bind(door)];
    door.lengths = (_data, _model, _method, _set, onProgress, signal) => untilStopped(onProgress, signal);
    door.describeData = (_data, onProgress, signal) => untilStopped(onProgress, signal);
    door.microscope = (_data, _row, _model, _method, _set, onProgress, signal) => untilStopped(onProgress, signal);
    app.capabilities = { ...app.capabilities, microscope: true };
    await go('Data');
    await stop(words.en.data.measuring);
    const again = (): Promise<void> => click(screen.getByRole('button', { name: words.en.retry }));
    door.lengths = measure;
    await again();
    expect(await screen.findAllByRole('button', { name: /^\d+ tokens: / })).not.toEqual([]);
    await click(screen.getByText(words.en.data.made.title));
    await stop(words.en.data.made.describing);
    door.describeData = describe;
    await again();
    await screen.findByRole('region', { name: words.en.data.made.title });
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    await stop(`${words.en.data.microscope}: ${words.en.loading}`);
    screen.getByText(words.en.stopped);
  });

  it('of one part is divided, or stays as it is where a person stops that', async () => {
    const { app, door } = await open({ pace: 60 });
    await go('Data');
    await screen.findByText('300 rows');
    if (app.data) app.data = { ...app.data, splits: { train: 300 } };
    const before = app.data;
    await click(await screen.findByRole('button', { name: words.en.data.divide }));
    const bar = { name: words.en.data.dividing };
    const goes = screen.getByRole<HTMLButtonElement>('button', { name: words.en.data.divideGo });
    const form = goes.closest('form') as HTMLFormElement;
    for (const stop of ['Stop', words.en.cancel]) {
      await click(goes);
      await screen.findByRole('progressbar', bar);
      expect(goes.disabled).toBe(true);
      await click(within(form).getByRole('button', { name: stop }));
      await waitFor(() => expect(screen.queryByRole('progressbar', bar)).toBeNull());
      if (stop === 'Stop') await waitFor(() => expect(goes.disabled).toBe(false));
      expect([screen.queryByRole('alert'), app.data === before, door.calls.includes('divideData')]).toEqual([null, true, false]);
    }
    // who thinks better of it has left the form, too
    await click(await screen.findByRole('button', { name: words.en.data.divide }));
    await click(screen.getByRole('button', { name: words.en.data.divideGo }));
    await screen.findByText(words.en.data.divided);
    expect([app.data === before, door.calls.includes('divideData')]).toEqual([false, true]);
  });

  it('that lacks a part says at the start what follows from that, and takes the part out of training', async () => {
    const { app, door } = await open();
    await waitFor(() => expect(app.data).not.toBeNull());
    const whole = app.data?.splits;
    const cases = [
      ['validation', { train: 120, test: 156 }, ['Validation, in %']],
      ['test', { train: 120, validation: 24 }, ['Test, in %']],
      ['both', { train: 120 }, ['Validation, in %', 'Test, in %']],
    ] as const;
    for (const [lacks, splits, shares] of cases) {
      if (app.data) app.data = { ...app.data, splits };
      await screen.findByText(words.en.data.lacks[lacks]);
      await click(screen.getByRole('button', { name: words.en.data.divide }));
      screen.getByRole('heading', { name: words.en.data.divideTitle[lacks] });
      expect(screen.getAllByLabelText(/, in %$/).map((field) => field.closest('label')?.textContent.trim())).toEqual(shares);
      expect(await complaints()).toEqual([]);
      await click(screen.getByRole('button', { name: words.en.cancel }));
    }
    if (app.data) app.data = { ...app.data, splits: { train: 120, test: 156 } };
    const asked: number[][] = [];
    const divide = door.divideData.bind(door);
    door.divideData = (data, validation, test, ...rest) => {
      asked.push([validation, test]);
      return divide(data, validation, test, ...rest);
    };
    await click(await screen.findByRole('button', { name: words.en.data.divide }));
    await click(screen.getByRole('button', { name: words.en.data.divideGo }));
    await screen.findByText(words.en.data.divided);
    expect([asked, app.data?.splits]).toEqual([[[0.1, 0]], whole]);
    expect(screen.queryByRole('button', { name: words.en.data.divide })).toBeNull();
  });

  it('offers to take back the last change, and no longer the one before it', async () => {
    const { app } = await open();
    await go('Data');
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    const move = async (to: string): Promise<void> => {
      await fireEvent.change(within(screen.getByRole('region', { name: 'Selected row' })).getByLabelText('Part'), { target: { value: to } });
    };
    await move('validation');
    await waitFor(() => expect(app.toasts.map((toast) => toast.text)).toEqual([words.en.data.moved]));
    const first = app.toasts[0]?.id;
    await move('test');
    await waitFor(() => expect(app.data?.changes).toBe(2));
    await waitFor(() => expect(app.toasts).toHaveLength(1));
    expect(app.toasts[0]?.id).not.toBe(first);
    // what is taken back elsewhere is not offered here
    await fireEvent.keyDown(window, { key: 'z', ctrlKey: true });
    await waitFor(() => expect(app.data?.changes).toBe(1));
    expect(app.toasts).toEqual([]);
    await fireEvent.keyDown(window, { key: 'y', ctrlKey: true });
    await waitFor(() => expect(app.data?.changes).toBe(2));
    expect(app.toasts).toEqual([]);
  });

  it('is given another text, which is shown also where the search leaves it out, and taken back', async () => {
    const { app } = await open();
    await go('Data');
    await fireEvent.input(await screen.findByRole('searchbox'), { target: { value: 'tornerà disponibile il tostapane' } });
    await screen.findByText(/^1 of 300 rows$/);
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    const region = screen.getByRole('region', { name: 'Selected row' });
    const pencil = (): HTMLElement => within(region).getByRole('button', { name: words.en.data.rewrite });
    await click(pencil());
    const field = within(region).getByRole<HTMLTextAreaElement>('textbox', { name: words.en.data.rewrite });
    const before = field.value;
    const keep = within(region).getByRole<HTMLButtonElement>('button', { name: words.en.data.rewriteGo });
    for (const text of [before, '  ']) {
      await fireEvent.input(field, { target: { value: text } });
      expect(keep.disabled).toBe(true);
    }
    await fireEvent.input(field, { target: { value: 'Quando torna il forno?' } });
    expect(await complaints()).toEqual([]);
    await click(keep);
    await waitFor(() => expect(region.querySelector('.text')?.textContent).toBe('Quando torna il forno?'));
    expect(document.activeElement).toBe(pencil());
    await screen.findByText(/^0 of 300 rows$/);
    await fireEvent.keyDown(window, { key: 'z', ctrlKey: true });
    await waitFor(() => expect(region.querySelector('.text')?.textContent).toBe(before));
    expect(app.data?.changes).toBe(0);
    // who thinks better of it leaves the row as it is
    await click(pencil());
    await fireEvent.keyDown(within(region).getByRole('textbox', { name: words.en.data.rewrite }), { key: 'Escape' });
    expect(region.querySelector('.text')?.textContent).toBe(before);
  });

  it('has its entities marked where the cursor selects, in a field that cannot be written in', async () => {
    const { app, door } = await open();
    const text = 'Anna va a Roma';
    door.rows = () => Promise.resolve({ total: 1, rows: [{ id: 0, split: 'train', origin: 'a.jsonl:1', text, target: { kind: 'entities', spans: [] }, findings: [], group: null, changed: false }] });
    const edits: unknown[] = [];
    door.editRow = (_data, edit) => {
      edits.push(edit);
      return Promise.reject(Object.assign(new Error(), { message: 'not here' }));
    };
    await waitFor(() => expect(app.data).not.toBeNull());
    if (app.data) app.data = { ...app.data, task: 'entities' };
    await go('Data');
    await click(await screen.findByText(text));
    const field = await screen.findByLabelText<HTMLTextAreaElement>(words.en.data.entityText);
    // where a field is `readonly`, WebKitGTK selects nothing by the keyboard
    expect([field.readOnly, field.getAttribute('aria-readonly')]).toEqual([false, 'true']);
    expect(field.dispatchEvent(new InputEvent('beforeinput', { cancelable: true, bubbles: true }))).toBe(false);
    await fireEvent.input(field, { target: { value: 'x' } });
    expect(field.value).toBe(text);
    expect(await complaints()).toEqual([]);
    field.setSelectionRange(10, 14);
    await fireEvent.change(screen.getByLabelText(words.en.data.entityType), { target: { value: '\u0000new' } });
    await fireEvent.input(screen.getByLabelText(words.en.data.newTypeName), { target: { value: 'place' } });
    await click(screen.getByRole('button', { name: words.en.data.mark }));
    await screen.findByText('not here');
    expect(edits).toEqual([{ kind: 'relabel', row: 0, target: { kind: 'entities', spans: [{ start: 10, end: 14, type: 'place' }] } }]);
  });

  it('tells what was found, and of devices, again when the language changes, and measures nothing again for that', async () => {
    const { app, door } = await open();
    const told = { en: 'A row is odd', it: 'Una riga è strana' };
    const summary = door.dataSummary.bind(door);
    door.dataSummary = async (data) => ({ ...(await summary(data)), findings: [{ kind: 'a_newer_kind', severity: 'warning', count: 1, message: told[app.language], fix: '' }] });
    await screen.findByText(/about .* of memory$/);
    let [devices, forecasts] = [0, 0];
    const [list, forecast] = [door.devices.bind(door), door.forecast.bind(door)];
    door.devices = () => ((devices += 1), list());
    door.forecast = (request, signal) => ((forecasts += 1), forecast(request, signal));
    await fireEvent.change(screen.getByLabelText('Language'), { target: { value: 'it' } });
    await waitFor(() => expect(app.data?.findings[0]?.message).toBe(told.it));
    await new Promise((done) => setTimeout(done, 300));
    expect([devices, forecasts]).toEqual([1, 0]);
    await go('Dati');
    await screen.findByText(told.it);
    await fireEvent.change(screen.getByLabelText('Lingua'), { target: { value: 'en' } });
    await screen.findByText(told.en);
  });

  it('shows which rows of a finding belong together', async () => {
    const { app, door } = await open();
    const ask = door.rows.bind(door);
    door.rows = async (query) => {
      const page = await ask({ ...query, filter: {} });
      return { total: 4, rows: page.rows.slice(0, 4).map((row, i) => ({ ...row, findings: ['duplicate'], group: query.filter.finding === undefined ? null : i >> 1 })) };
    };
    await waitFor(() => expect(app.data).not.toBeNull());
    if (app.data) app.data = { ...app.data, findings: [{ kind: 'duplicate', severity: 'warning', count: 4, message: 'x', fix: 'y' }] };
    await go('Data');
    await screen.findAllByText(words.en.data.kindNames.duplicate);
    expect(screen.queryByText(words.en.data.group(1))).toBeNull();
    await click(screen.getByRole('button', { name: new RegExp(`^${words.en.data.kinds.duplicate(4)}`) }));
    await waitFor(() => expect(screen.getAllByText(words.en.data.group(2))).toHaveLength(2));
    const lines = screen.getAllByRole('row').filter((row) => row.id !== '');
    expect(lines.map((line) => line.classList.contains('apart'))).toEqual([false, false, true, false]);
    expect(await complaints()).toEqual([]);
  });

  it('is narrowed to the rows of a length, and copied as it stands', async () => {
    const { app } = await open();
    let copied = '';
    Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: (text: string) => ((copied = text), Promise.resolve()) } });
    if (!app.capabilities) throw new Error('not open');
    app.capabilities = { ...app.capabilities, microscope: true };
    await go('Data');
    const bin = (await screen.findAllByRole('button', { name: /^\d+ tokens: [1-9]\d* examples$/ }))[0] as HTMLElement;
    const [tokens, count] = bin.getAttribute('aria-label')?.match(/\d+/g)?.map(Number) ?? [];
    await click(bin);
    await screen.findByText(`${count} of 300 rows`);
    await click(screen.getByRole('button', { name: words.en.data.copyRows }));
    await waitFor(() => expect(copied.split('\n')).toHaveLength((count ?? 0) + 1));
    for (const line of copied.split('\n').slice(1)) expect(line.split('\t')[2]?.split(/\s+/)).toHaveLength(tokens ?? 0);
    // the arrows go to the next bin
    bin.focus();
    await fireEvent.keyDown(bin, { key: 'ArrowRight' });
    expect(document.activeElement?.getAttribute('aria-label')).toMatch(new RegExp(`^${(tokens ?? 0) + 1} tokens`));
    const over = screen.getByRole('button', { name: /^\d+ rows are longer than the limit/ });
    await click(over);
    await screen.findByText(`${/\d+/.exec(over.textContent)?.[0] ?? ''} of 300 rows`);
    expect(await complaints()).toEqual([]);
    expect(app.data?.changes).toBe(0);
    // what was measured is found with the rest, and what mending it would change is said in the words of the window
    const found = await screen.findByRole('button', { name: /rows are longer than the recipe allows/ });
    expect(found.textContent).toContain('With max_tokens=48 all of them fit.');
  });

  it('is counted by what its answers are made of, the commonest first, and each count leaves its rows', async () => {
    const { app, door } = await open();
    await waitFor(() => expect(app.data).not.toBeNull());
    const tags = Array.from({ length: 130 }, (_, i) => ({ label: `#t${i}`, train: 130 - i, validation: 0, test: 0 }));
    if (app.data) app.data = { ...app.data, task: 'hashtags', labels: tags };
    const asked: (string | undefined)[] = [];
    const ask = door.rows.bind(door);
    door.rows = (query) => {
      asked.push(query.filter.label);
      return ask({ ...query, filter: {} });
    };
    await go('Data');
    await screen.findByRole('heading', { name: 'Hashtags 130' });
    const counts = (): number => document.querySelectorAll('.labels button').length;
    expect(counts()).toBe(100);
    await click(screen.getByRole('button', { name: words.en.results.more(30) }));
    expect(counts()).toBe(130);
    await click(screen.getByRole('button', { name: /^#t0/ }));
    await waitFor(() => expect(asked.at(-1)).toBe('#t0'));
    expect(await complaints()).toEqual([]);
  });

  it('has rows like another one, which take the place of what was on show', async () => {
    await open();
    await go('Data');
    await screen.findByText('300 rows');
    await click((await screen.findAllByRole('row'))[1] as HTMLElement);
    await click(await screen.findByRole('button', { name: words.en.data.near }));
    await screen.findByText('11 of 300 rows');
    expect(await complaints()).toEqual([]);
  });

  it('says what it is made of once somebody looks', async () => {
    await open();
    await go('Data');
    await screen.findByText('300 rows');
    expect(screen.queryByRole('region', { name: words.en.data.made.title })).toBeNull();
    await click(screen.getByText(words.en.data.made.title));
    const table = await screen.findByRole('region', { name: words.en.data.made.title });
    within(table).getByRole('row', { name: /^order_tracking .*\w/ });
    expect(await complaints()).toEqual([]);
  });

  it('that was dropped as several files is one set of several parts', async () => {
    const { app, door } = await open();
    const asked: unknown[] = [];
    const read = door.openData.bind(door);
    door.openData = (source, ...rest) => {
      asked.push(source);
      return read({ task: 'intent', folder: 'datasets/intents-it' }, ...rest);
    };
    door.drop(['mine-test.csv', 'mine.csv']);
    await waitFor(() => expect(asked).toEqual([{ task: 'intent', train: 'mine.csv', test: 'mine-test.csv' }]));
    expect(app.screen).toBe('data');
  });

  it('that was dropped among other things is opened all the same, a folder for the task of its card, tables with their questions', async () => {
    const { app, door } = await open();
    const asked: unknown[] = [];
    const read = door.openData.bind(door);
    door.openData = async (source, ...rest) => {
      asked.push(source);
      return { ...(await read({ task: 'intent', folder: 'datasets/intents-it' }, ...rest)), task: source.task, source };
    };
    const sourceOf = door.sourceOf.bind(door);
    door.sourceOf = (task, files) => (files[0] === 'a/shop' ? Promise.resolve({ task: 'sql', folder: 'a/shop' }) : sourceOf(task, files));
    app.screen = 'start';
    door.drop(['a/shop.sqlite']);
    await waitFor(() => expect(app.dataFault).toBe(words.en.data.tablesAlone('shop.sqlite')));
    expect([app.screen, asked]).toEqual(['data', []]);
    door.drop(['a/shop']);
    await waitFor(() => expect(app.data?.source).toEqual({ task: 'sql', folder: 'a/shop' }));
    expect([app.task, app.dataFault]).toEqual(['sql', null]);
    // the questions that are open get their tables
    door.drop(['a/shop.sqlite']);
    await waitFor(() => expect(app.data?.source).toEqual({ task: 'sql', folder: 'a/shop', database: 'a/shop.sqlite' }));
    door.drop(['tiny.gguf', 'questions.csv', 'shop.db']);
    await waitFor(() => expect(app.data?.source).toEqual({ task: 'sql', train: 'questions.csv', database: 'shop.db' }));
    expect([app.model, app.screen, asked.length]).toEqual(['gemma-3-270m', 'data', 3]);
  });

  it('takes a label that there was not', async () => {
    const { app } = await open();
    await go('Data');
    await click(await screen.findByText(app.door instanceof Double ? (await app.door.rows({ data: app.data?.id ?? '', offset: 0, limit: 1, filter: {}, search: '', sort: { by: 'row', descending: false } })).rows[0]?.text ?? '' : ''));
    const region = screen.getByRole('region', { name: 'Selected row' });
    const label = await within(region).findByLabelText<HTMLSelectElement>('Label');
    await fireEvent.change(label, { target: { value: label.options[label.options.length - 1]?.value } });
    const name = await within(region).findByLabelText('Name of the new label');
    await fireEvent.change(name, { target: { value: 'gift' } });
    await waitFor(() => expect(app.data?.labels.some((l) => l.label === 'gift')).toBe(true));
  });

  it('of a person’s own is offered from when it was opened, and again at the next start', async () => {
    const { door } = await open();
    const mine = { task: 'intent', train: 'mine.csv' };
    const read = door.openData.bind(door);
    door.openData = async (source, ...rest) => ({ ...(await read({ task: 'intent', folder: 'datasets/intents-it' }, ...rest)), name: source.train ?? 'intents-it', source });
    const offered = door.dataOffers.bind(door);
    const radio = (): HTMLInputElement | null => screen.queryByRole<HTMLInputElement>('radio', { name: /^mine/ });
    door.drop(['mine.csv']);
    await screen.findByRole('heading', { name: 'mine.csv', level: 1 });
    door.dataOffers = async () => [...(await offered()), { name: 'mine', language: 'it', source: mine, shipped: false, examples: 7 }];
    door.drop(['mine.csv']);
    await go('Start');
    await waitFor(() => expect(radio()?.checked).toBe(true));
    expect(screen.queryByText('mine.csv')).toBeNull();
    expect(await complaints()).toEqual([]);
    cleanup();
    render(AppView, { app: new App(door) });
    await waitFor(() => expect(radio()?.checked).toBe(false));
    await click(radio() as HTMLElement);
    await waitFor(() => expect(radio()?.checked).toBe(true));
  });

  it('whose columns nobody could guess is read once a person names them', async () => {
    const { app, door } = await open();
    door.drop(['odd.csv']);
    await screen.findByText('Which column holds what?');
    screen.getByText('odd.csv:1: no column looks like the label');
    expect(await complaints()).toEqual([]);
    const go = screen.getByRole<HTMLButtonElement>('button', { name: 'Read the file' });
    expect(go.disabled).toBe(true);
    expect(screen.getByLabelText<HTMLSelectElement>('Text').value).toBe('text');
    await fireEvent.change(screen.getByLabelText('Label'), { target: { value: 'label' } });
    await click(go);
    await screen.findByRole('heading', { name: 'odd', level: 1 });
    expect(app.importing).toBeNull();
  });

  it('of a million rows puts only those in view into the page', async () => {
    await open({ rows: 1_000_000 });
    await go('Data');
    await screen.findByText('1,000,000 rows');
    await waitFor(() => expect(screen.getAllByRole('row').length).toBeGreaterThan(10));
    expect(screen.getAllByRole('row').length).toBeLessThan(60);
    const grid = screen.getByRole('grid');
    expect(grid.getAttribute('aria-rowcount')).toBe('1000001');
    await fireEvent.keyDown(grid, { key: 'End' });
    await fireEvent.scroll(grid);
    await waitFor(() => expect(within(grid).getByText('1,000,000')).toBeTruthy());
    // the row that was far away is shown whole once it is here
    await waitFor(() => expect(screen.getByRole('region', { name: 'Selected row' }).textContent).toContain('jsonl'));
  }, 60_000);

  it('that was dropped is opened; what cannot be read says why', async () => {
    const { app, door } = await open();
    door.drop(['elsewhere.csv']);
    await screen.findByText('elsewhere.csv: no such file; check the path');
    expect(app.screen).toBe('data');
  });

  it('that takes long to read need not be waited for, and what comes of it then changes nothing', async () => {
    const { app, door } = await open();
    await waitFor(() => expect(app.dataBusy).toBe(false));
    const before = app.data;
    let arrive: (() => void) | undefined;
    let stopped = false;
    const read = door.openData.bind(door);
    door.openData = async (source, onProgress, signal) => {
      onProgress({ done: 3, total: 4, what: '' });
      signal.addEventListener('abort', () => (stopped = true));
      await new Promise<void>((done) => (arrive = done));
      return { ...(await read({ task: 'intent', folder: 'datasets/intents-it' }, onProgress, signal)), name: source.train ?? '' };
    };
    door.drop(['large.csv']);
    const reading = await screen.findByText(words.en.start.reading);
    expect(screen.getByRole<HTMLProgressElement>('progressbar', { name: words.en.start.reading }).position).toBe(0.75);
    expect(await complaints()).toEqual([]);
    await click(within(reading.parentElement as HTMLElement).getByRole('button', { name: 'Cancel' }));
    expect(screen.queryByText(words.en.start.reading)).toBeNull();
    arrive?.();
    await new Promise((done) => setTimeout(done, 20));
    expect(app.data).toBe(before);
    expect([app.dataFault, stopped]).toEqual([null, true]);
  });

  it('that is held over the window is told where it may fall; a model goes to the models', async () => {
    const { app, door } = await open();
    door.drag(true);
    await screen.findByText(words.en.drop);
    door.drag(false);
    await waitFor(() => expect(screen.queryByText(words.en.drop)).toBeNull());
    for (const model of ['tiny.GGUF', 'models/a-folder', 'models/a-folder/model.safetensors']) {
      door.drop([model]);
      await waitFor(() => expect(app.screen).toBe('models'));
      await waitFor(() => expect(app.toasts.length).toBe(0));
      app.screen = 'start';
    }
    // any other folder is data, and so is what cannot be looked at
    door.isModel = () => Promise.reject(Object.assign(new Error(), { message: 'choose this file in the dialog' }));
    for (const data of ['datasets/intents-it', 'models/unknown']) {
      door.drop([data]);
      await waitFor(() => expect(app.screen).toBe('data'));
      app.screen = 'start';
    }
    await waitFor(() => expect(app.dataFault).toContain('models/unknown'));
  });

  it('is a map whose points open rows, one by one or those drawn around', async () => {
    const { app } = await open();
    await go('Data');
    await click(await screen.findByRole('radio', { name: 'Map' }));
    const map = await screen.findByRole('group', { name: words.en.data.map.hint });
    expect(await complaints()).toEqual([]);
    await fireEvent.keyDown(map, { key: 'ArrowRight' });
    await fireEvent.keyDown(map, { key: 'Enter' });
    const one = await screen.findByRole('region', { name: 'Selected row' });
    await waitFor(() => expect(within(one).getByRole('button', { name: 'Delete row' })).toBeTruthy());
    // several by the keyboard, one of them left out again
    for (const pressed of [' ', 'ArrowDown', ' ', 'ArrowDown', ' ', ' ']) await fireEvent.keyDown(map, { key: pressed });
    await screen.findByRole('button', { name: words.en.data.map.show(2) });
    await click(screen.getByText(`: ${words.en.data.map.title}`, { selector: 'summary span' }).parentElement as HTMLElement);
    await screen.findByRole('region', { name: words.en.data.map.title });
    expect(await complaints()).toEqual([]);
    // around everything: a hand draws, and jsdom lays nothing out, so the layer is told its size
    map.getBoundingClientRect = () => ({ left: 0, top: 0, width: 560, height: 560 }) as DOMRect;
    map.setPointerCapture = () => undefined;
    const draw = (type: string, x: number, y: number): Promise<boolean> => fireEvent(map, new MouseEvent(type, { clientX: x, clientY: y, buttons: type === 'pointerup' ? 0 : 1, bubbles: true }));
    await draw('pointerdown', 0, 0);
    for (const [x, y] of [[560, 0], [560, 280], [0, 280]] as const) await draw('pointermove', x, y);
    await draw('pointerup', 0, 280);
    await screen.findByText(/^\d+ of 300 rows$/);
    await click(screen.getByRole('button', { name: 'Show all rows' }));
    await screen.findByText('300 rows');
    expect(app.data?.changes).toBe(0);
  });

  it('is laid out as a map step by step, and not where a person stops that', async () => {
    const { door } = await open();
    await go('Data');
    const draw = door.dataMap.bind(door);
    door.dataMap = (_data, _model, _language, onProgress, signal) => {
      onProgress({ done: 5, total: 20, what: 'points' });
      return new Promise((done) => signal.addEventListener('abort', () => done(null)));
    };
    await click(await screen.findByRole('radio', { name: 'Map' }));
    await stop(words.en.data.map.placing(5, 20));
    door.dataMap = draw;
    await click(screen.getByRole('button', { name: words.en.data.map.draw }));
    await screen.findByRole('group', { name: words.en.data.map.hint });
  });

  it('of a run whose files are not known is not looked for in another set', async () => {
    const { app, door } = await open();
    const ask = door.run.bind(door);
    door.run = async (path, language) => ({ ...(await ask(path, language)), source: null });
    await waitFor(() => expect(app.data).not.toBeNull());
    if (app.data) app.data = { ...app.data, name: 'another' };
    await go('Results');
    await click((await screen.findAllByRole('button', { name: 'Find in Data' }))[0] as HTMLElement);
    await screen.findByText(words.en.results.noSource);
    expect(app.screen).toBe('results');
  });

  it('is found from a mistake', async () => {
    await open();
    await go('Results');
    await click((await screen.findAllByRole('button', { name: 'Find in Data' }))[0] as HTMLElement);
    await screen.findByText(/^1 of 300 rows$/);
  });

  it('is found in the part that was measured and selected, however many rows hold or repeat its words', async () => {
    const { app, door } = await open();
    await go('Results');
    const said = (await screen.findAllByRole('button', { name: 'Find in Data' }))[0] as HTMLElement;
    const text = said.parentElement?.querySelector('p')?.textContent ?? '';
    const expected = app.kept.results.answers.answer?.rows[0]?.expected ?? '';
    await door.editRow('datasets/intents-it', { kind: 'add', split: 'train', text, target: { kind: 'label', label: expected } });
    await door.editRow('datasets/intents-it', { kind: 'add', split: 'test', text: `${text} grazie`, target: { kind: 'label', label: expected } });
    await door.editRow('datasets/intents-it', { kind: 'add', split: 'test', text, target: { kind: 'label', label: 'another' } });
    await click(said);
    const row = await screen.findByRole('region', { name: words.en.data.selected });
    await waitFor(() => expect(within(row).getByText(text)).toBeTruthy());
    expect([app.kept.data.filter, app.kept.data.selected?.split, app.kept.data.selected?.target]).toEqual([{ text, split: 'test' }, 'test', { kind: 'label', label: expected }]);
    // one that was moved is found where it is now, one that was rewritten by its words
    app.wantedRow = { text: `${text} grazie`, split: 'validation', expected };
    await waitFor(() => expect(app.kept.data.selected?.text).toBe(`${text} grazie`));
    app.wantedRow = { text: 'grazie', split: 'test', expected };
    await waitFor(() => expect([app.kept.data.filter, app.kept.data.search]).toEqual([{}, 'grazie']));
  });
});

describe('a screen that is left and come back to', () => {
  it('has its cell open still after a mistake was looked up in Data, and Data its row', async () => {
    await open();
    await go('Results');
    await click(await screen.findByRole('button', { name: CELL }));
    const opened = words.en.results.filtered(MISTAKE?.expected ?? '', MISTAKE?.answer ?? '');
    await screen.findByText(opened);
    await click((await screen.findAllByRole('button', { name: 'Find in Data' }))[0] as HTMLElement);
    await screen.findByText(/^1 of 300 rows$/);
    await go('Results');
    screen.getByText(opened);
    await go('Data');
    screen.getByRole('button', { name: 'Delete row' });
    await screen.findByText(/^1 of 300 rows$/);
    // another run has other cells
    await go('Results');
    await fireEvent.change(screen.getByLabelText('Run shown'), { target: { value: 'runs/completion' } });
    await waitFor(() => expect(screen.queryByText(opened)).toBeNull());
  });

  it('is as far down as it was, on Results', async () => {
    const { app } = await open();
    const parts = async (): Promise<Element[]> => {
      await go('Results');
      await waitFor(() => expect(document.querySelector('.cell')).not.toBeNull());
      return ['main .body', '.answers > ul'].map((selector) => document.querySelector(selector) as Element);
    };
    for (const [i, part] of (await parts()).entries()) {
      part.scrollTop = 100 * (i + 1);
      await fireEvent.scroll(part);
    }
    await go('Models');
    expect((await parts()).map((part) => part.scrollTop)).toEqual([100, 200]);
    // another run that is chosen here is read from its first answer, at the same place of the screen
    await fireEvent.change(screen.getByLabelText('Run shown'), { target: { value: 'runs/completion' } });
    await waitFor(() => expect(document.querySelector('.answers > ul')?.scrollTop).toBe(0));
    expect(document.querySelector('main .body')?.scrollTop).toBe(100);
    // and one that is chosen elsewhere, from its top
    await go('Models');
    app.selected = 'runs/head';
    expect((await parts()).map((part) => part.scrollTop)).toEqual([0, 0]);
  });

  it('has what was searched, chosen and measured in Data', async () => {
    const { app, door } = await open();
    if (!app.capabilities) throw new Error('not open');
    app.capabilities = { ...app.capabilities, microscope: true };
    let measured = 0;
    const measure = door.lengths.bind(door);
    door.lengths = (...asked) => {
      measured += 1;
      return measure(...asked);
    };
    await go('Data');
    await fireEvent.input(screen.getByRole('searchbox'), { target: { value: 'tornerà disponibile il tostapane' } });
    await click(await screen.findByText(/Quando tornerà disponibile il tostapane/));
    await screen.findAllByRole('button', { name: /^\d+ tokens: [1-9]\d* examples$/ });
    await go('Models');
    await go('Data');
    expect(screen.getByRole<HTMLInputElement>('searchbox').value).toBe('tornerà disponibile il tostapane');
    within(screen.getByRole('region', { name: 'Selected row' })).getByRole('button', { name: 'Delete row' });
    await screen.findByText(/^1 of 300 rows$/);
    expect(measured).toBe(1);
  });

  it('has what was written and answered in Try, ticked in Compare and chosen in Report', async () => {
    await open();
    await go('Try');
    await click(await screen.findByText(ASKED?.text ?? ''));
    // it goes on being answered meanwhile
    await go('Compare');
    await click(await screen.findByRole('checkbox', { name: 'Compare head' }));
    await go('Report');
    await click(await screen.findByRole('checkbox', { name: 'HTML, one file' }));
    await go('Try');
    await waitFor(() => expect(screen.getByRole('group', { name: 'After training' }).textContent).toContain(words.en.try.sure(formats.en.percent(ASKED?.tuned.probability ?? 0))));
    await fireEvent.input(screen.getByLabelText('Your message'), { target: { value: 'half a mess' } });
    await go('Compare');
    expect((await screen.findByRole<HTMLInputElement>('checkbox', { name: 'Compare head' })).checked).toBe(true);
    await go('Report');
    expect((await screen.findByRole<HTMLInputElement>('checkbox', { name: 'HTML, one file' })).checked).toBe(false);
    await go('Try');
    expect(screen.getByLabelText<HTMLTextAreaElement>('Your message').value).toBe('half a mess');
  });
});

describe('asking', () => {
  it('ends where a person stops it, and says nothing of it', async () => {
    await open({ pace: 50 });
    await go('Try');
    await click(await screen.findByText(ASKED?.text ?? ''));
    await click(await screen.findByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(screen.queryByRole('group', { name: 'After training' })).toBeNull());
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('shows an answer in the way of its task: entities in the sentence, a query with why it finds nothing, chips', async () => {
    const { app, door } = await open();
    const answers = { entities: '[{"start":0,"end":4,"type":"person"}]', sql: 'SELECT 1', hashtags: '#mare #sole' };
    const ask = async (task: keyof typeof answers): Promise<HTMLElement> => {
      app.runs = app.runs.map((run) => ({ ...run, task }));
      const considered = { entities: [], sql: [['SELECT 2', 0.6], ['SELECT 1', 0.4]], hashtags: [['#mare', 0.9], ['#sole', 0.6], ['#onde', 0.1]] } as const;
      const alternatives = considered[task].map(([label, probability]) => ({ label, probability }));
      const answer = { output: answers[task], label: answers[task], probability: 0.9, alternatives };
      door.predict = (_run, text) => Promise.resolve({ text, base: { ...answer, label: null, output: 'boh' }, tuned: answer });
      await fireEvent.input(screen.getByLabelText('Your message'), { target: { value: 'Anna va al mare' } });
      await click(screen.getByRole('button', { name: 'Ask' }));
      await waitFor(() => expect(screen.queryByRole('button', { name: 'Stop' })).toBeNull());
      return screen.getAllByRole('group', { name: 'After training' })[0] as HTMLElement;
    };
    await go('Try');
    const entities = await ask('entities');
    await waitFor(() => expect(entities.querySelector('mark')?.textContent).toBe('Annaperson'));
    expect(entities.textContent).not.toContain('start');
    expect(screen.getAllByRole('group', { name: 'Before training' })[0]?.textContent).toContain(words.en.try.noAnswer);
    const hashtags = await ask('hashtags');
    expect(hashtags.querySelectorAll('.tag')).toHaveLength(2);
    expect(within(hashtags).getAllByRole('listitem').map((item) => item.textContent)).toEqual(['#mare90.0\u202f%', '#sole60.0\u202f%', '#onde10.0\u202f%']);
    within(hashtags).getByRole('heading', { name: words.en.try.votes });
    const sql = await ask('sql');
    await waitFor(() => expect(sql.textContent).toContain('the recording holds no database'));
    // what it was chosen from, and of what each is the share
    const listed = (of: HTMLElement): string[] => within(of).getAllByRole('listitem').map((item) => item.textContent);
    within(sql).getByRole('heading', { name: words.en.try.followed });
    expect(listed(sql)).toEqual(['SELECT 260.0\u202f%']);
    expect(await complaints()).toEqual([]);
  });

  it('shows the answers before and after, and says what the engine refuses', async () => {
    await open();
    await go('Try');
    await click(await screen.findByText(ASKED?.text ?? ''));
    // what it says is there while it says it
    const after = (): string => screen.getByRole('group', { name: 'After training' }).textContent;
    await waitFor(() => expect(after()).toMatch(/After training .+/));
    expect(after()).not.toContain('sure');
    await waitFor(() => expect(after()).toContain(words.en.try.sure(formats.en.percent(ASKED?.tuned.probability ?? 0))));
    expect(after()).toContain(ASKED?.tuned.label);
    await waitFor(() => expect(screen.queryByRole('button', { name: 'Stop' })).toBeNull());
    await fireEvent.input(screen.getByLabelText('Your message'), { target: { value: 'unheard of' } });
    await click(screen.getByRole('button', { name: 'Ask' }));
    expect((await screen.findByRole('alert')).textContent).toContain('the recording knows only');
  });
});

describe('comparing', () => {
  it('says of two runs whether their difference means anything, and gives another system a row', async () => {
    const { app } = await open();
    await go('Compare');
    screen.getByText(words.en.compare.testChoose);
    await click(await screen.findByRole('checkbox', { name: 'Compare head' }));
    await click(screen.getByRole('checkbox', { name: 'Compare completion' }));
    const verdict = await screen.findByRole('region', { name: words.en.compare.test });
    await waitFor(() => expect(verdict.textContent).toMatch(/(is hardly luck|may well be luck|equally well)/));
    expect(verdict.textContent).toMatch(/Accuracy: [+-][\d.]+ points \(95 % interval .* 156 examples/);
    // what it rests on, and every column of every run
    await click(within(verdict).getByText(/^: /, { selector: 'summary span' }).parentElement as HTMLElement);
    await waitFor(() => expect(verdict.textContent).toContain(words.en.compare.level));
    await click(screen.getByText(`: ${words.en.compare.table}`).parentElement as HTMLElement);
    await screen.findByRole('row', { name: /^Macro F1, 95 % interval/ });
    expect(await complaints()).toEqual([]);
    await click(screen.getByRole('button', { name: 'Add answers of another system…' }));
    await screen.findByText('other-system has a row now');
    expect(app.runs.some((run) => run.name === 'other-system')).toBe(true);
    // a run that is deleted is compared no more
    const other = app.runs.find((run) => run.name === 'other-system');
    if (other) app.deleteRun(other);
    await screen.findByText(words.en.compare.testChoose);
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('stops where a person stops it, who may ask for it again', async () => {
    const { door } = await open();
    const compare = door.compare.bind(door);
    door.compare = (_runs, _language, onProgress, signal) => untilStopped(onProgress, signal);
    await go('Compare');
    await click(await screen.findByRole('checkbox', { name: 'Compare head' }));
    await click(screen.getByRole('checkbox', { name: 'Compare completion' }));
    await stop(words.en.compare.testing);
    door.compare = compare;
    await click(screen.getByRole('button', { name: words.en.retry }));
    await screen.findByText(/(is hardly luck|may well be luck|equally well)/);
  });

  it('gives another system no row where a person stops it', async () => {
    const { app } = await open({ pace: 60 });
    await go('Compare');
    const runs = app.runs.length;
    const add = await screen.findByRole<HTMLButtonElement>('button', { name: 'Add answers of another system…' });
    await click(add);
    const bar = { name: words.en.compare.importing };
    await waitFor(() => expect(screen.getByRole<HTMLProgressElement>('progressbar', bar).max).toBe(156));
    expect(add.disabled).toBe(true);
    await click(screen.getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(screen.queryByRole('progressbar', bar)).toBeNull());
    expect([screen.queryByRole('alert'), app.runs.length, add.disabled]).toEqual([null, runs, false]);
    await click(add);
    await screen.findByText('other-system has a row now');
  });

  it('shows a single run beside what others got, and what answers of another system are held against', async () => {
    const { app } = await open();
    app.runs = app.runs.filter((run) => run.name === 'head');
    await go('Compare');
    await screen.findByRole('row', { name: /^Compare head/ });
    screen.getByRole('row', { name: /^Gemma 3 270M in the study before Lapidary/ });
    screen.getByText(words.en.compare.another);
    screen.getByText(words.en.compare.importNote('head'));
    expect(await complaints()).toEqual([]);
  });

  it('leaves out a run that cannot be read, and says so', async () => {
    const { app, door } = await open();
    const ask = door.run.bind(door);
    door.run = (path, language) => (path.includes('completion') ? Promise.reject(Object.assign(new Error(), { message: 'result.json: is not a result' })) : ask(path, language));
    app.kept.compare.ticked = ['runs/completion', 'runs/head'];
    await go('Compare');
    await screen.findByRole('row', { name: /^Compare head/ });
    expect((await screen.findByRole('alert')).textContent).toContain('completion is left out: result.json: is not a result');
    screen.getByText(words.en.compare.testChoose);
  });

  it('quotes what others got, as quoted and untested', async () => {
    const { app } = await open();
    app.runs = app.runs.filter((run) => run.task === 'intent');
    await go('Compare');
    // both runs quote it, and it has one row
    const row = await screen.findByRole('row', { name: /^Gemma 3 270M in the study before Lapidary/ });
    expect(row.textContent).toContain('quoted');
    expect(row.textContent).toContain('0.0\u202f%');
    expect(within(row).queryByRole('checkbox')).toBeNull();
    await go('Results');
    const hero = await screen.findByRole('region', { name: 'Accuracy' });
    expect(hero.textContent).toContain('Gemma 3 270M in the study before Lapidary (quoted)');
    await fireEvent.change(screen.getByLabelText('Language'), { target: { value: 'it' } });
    await screen.findByText(/nello studio prima di Lapidary/);
  });

  it('quotes a figure of which nobody says what was measured as just that', async () => {
    const { app, door } = await open();
    const ask = door.run.bind(door);
    door.run = async (path, language) => {
      const run = await ask(path, language);
      for (const one of run.run.data.reference ?? []) Object.assign(one, { measure: '', value: 0.85 });
      return run;
    };
    const said = words.en.compare.quotedUnnamed(app.format.percent(0.85));
    await go('Compare');
    const rows = await screen.findAllByRole('row', { name: /^Gemma 3 270M in the study before Lapidary/ });
    for (const row of rows) expect(row.textContent).toContain(said);
    await go('Results');
    expect((await screen.findByRole('region', { name: 'Accuracy' })).textContent).toContain(`(${said})`);
  });

  it('quotes what the card of the data says, word for word', async () => {
    const { door } = await open();
    const quoted = (await door.run('runs/head', 'en')).run.data.reference ?? [];
    expect(quoted).toHaveLength(1);
    for (const text of quoted.flatMap((q) => [q.system, q.source, ...Object.values(q.translations ?? {}).flatMap((t) => [t.system, t.source])])) expect(card).toContain(`"${text}"`);
  });
});

describe('models', () => {
  it('are got a part at a time: paused, and gone on with', async () => {
    const { app, door } = await open({ first: true, pace: 40 });
    await click(screen.getByRole('button', { name: /^Accept terms and get/ }));
    await click(await screen.findByRole('button', { name: 'Pause' }));
    await screen.findByText(/^[\d.]+ MB of about 253 MB are here\.$/);
    const on = screen.getByRole('button', { name: 'Go on' });
    expect(screen.queryByRole('alert')).toBeNull();
    expect(await complaints()).toEqual([]);
    await click(on);
    await waitFor(() => expect(app.chosenModel?.path).toBeTruthy(), { timeout: 10_000 });
    expect(app.chosenModel?.partial_bytes).toBe(0);
    expect(door.calls.filter((call) => call === 'getModel')).toHaveLength(2);
  });

  it('of which a part is here say so, after another start, too, and the part can be deleted, and that taken back', async () => {
    const { app, door } = await open({ first: true, pace: 40 });
    await click(screen.getByRole('button', { name: /^Accept terms and get/ }));
    await click(await screen.findByRole('button', { name: 'Pause' }));
    await go('Models');
    await screen.findByText(/ MB of about 253 MB are here\.$/);
    expect(await complaints()).toEqual([]);
    const deletes = (): Promise<HTMLElement> => screen.findByRole('button', { name: words.en.models.drop('Gemma 3 270M') });
    await click(await deletes());
    expect(screen.queryByText(/are here\.$/)).toBeNull();
    await click(screen.getByRole('button', { name: 'Undo' }));
    // wanted again before it was gone: it goes on with what is here, and nothing is deleted behind its back
    const arrived = app.models[0]?.partial_bytes ?? 0;
    expect(arrived).toBeGreaterThan(0);
    await click(await deletes());
    const removed = vi.spyOn(door, 'removeModel');
    const get = vi.spyOn(door, 'getModel');
    void app.getModel('gemma-3-270m');
    expect(app.toasts).toEqual([]);
    await waitFor(() => expect(app.downloads.get('gemma-3-270m')?.progress?.done ?? 0).toBeGreaterThanOrEqual(arrived));
    await click(await screen.findByRole('button', { name: 'Pause' }));
    await click(await deletes());
    await waitFor(() => expect(removed).toHaveBeenCalledTimes(1), { timeout: 10_000 });
    await waitFor(() => expect(app.models[0]?.partial_bytes).toBe(0));
    expect(get).toHaveBeenCalledTimes(1);
  });

  it('that cannot be taken in say why where they are kept', async () => {
    const { app, door } = await open();
    door.importModel = () => Promise.reject(Object.assign(new Error(), { message: 'tiny.gguf: is no model' }));
    door.drop(['tiny.gguf']);
    const alert = await screen.findByRole('alert');
    expect(alert.closest('main')).not.toBeNull();
    expect(alert.textContent).toContain('is no model');
    await waitFor(() => expect(app.toasts).toEqual([]));
  });

  it('are not taken in where a person stops that, who is told nothing of it', async () => {
    const { app } = await open({ first: true, pace: 60 });
    const take = (): void => void app.takeModel('downloads/tiny.gguf');
    take();
    const bar = await screen.findByRole<HTMLProgressElement>('progressbar', { name: words.en.opening('tiny.gguf') });
    await waitFor(() => expect(bar.position).toBeGreaterThan(0));
    await click(within(bar.parentElement as HTMLElement).getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(app.toasts).toEqual([]));
    expect([app.modelFault, app.models[0]?.path, screen.queryByRole('alert')]).toEqual([null, null, null]);
    take();
    await waitFor(() => expect(app.models[0]?.path).not.toBeNull());
  });

  it('stay out of sight while their removal waits, whatever is read meanwhile, and come back', async () => {
    const { app } = await open();
    await go('Models');
    const here = (): Element | null => screen.queryByRole('button', { name: 'Remove Gemma 3 270M from disk' });
    await click(here() as HTMLElement);
    await app.refreshModels();
    await waitFor(() => expect(here()).toBeNull());
    await click(screen.getByRole('button', { name: 'Undo' }));
    await waitFor(() => expect(here()).not.toBeNull());
    // getting it again takes the removal back
    await click(here() as HTMLElement);
    await app.getModel('gemma-3-270m');
    await waitFor(() => expect(here()).not.toBeNull());
    expect(app.toasts).toEqual([]);
  });

  it('that are files of a person are forgotten, and not removed', async () => {
    const { app, door } = await open();
    const ask = door.models.bind(door);
    door.models = async () => (await ask()).map((model) => ({ ...model, source: 'imported' }));
    await app.refreshModels();
    await go('Models');
    expect(screen.queryByRole('button', { name: /^Remove/ })).toBeNull();
    await click(screen.getByRole('button', { name: 'Forget Gemma 3 270M; the file stays' }));
    await screen.findByText('Gemma 3 270M was forgotten; the file stays where it is');
    expect(app.models.map((model) => model.title)).toEqual(['Gemma 3 1B']);
  });

  it('that were trained here are written for other programs', async () => {
    await open();
    await go('Models');
    const one = await screen.findByRole('group', { name: 'Export head' });
    within(one.closest('li') as HTMLElement).getByText(formats.en.bytes(HEAD.row.bytes));
    await click(within(one).getByRole('button', { name: 'Adapter (PEFT)' }));
    await screen.findByText('Written to datasets/intents-it/head-adapter');
    expect(await complaints()).toEqual([]);
  });
});

describe('the report', () => {
  it('is previewed without scripts and written where the person says', async () => {
    const { door } = await open();
    await go('Report');
    const frame = await screen.findByTitle<HTMLIFrameElement>('Preview of the report');
    expect(frame.getAttribute('sandbox')).toBe('');
    expect(frame.srcdoc.slice(0, 15).toLowerCase()).toBe('<!doctype html>');
    await click(screen.getByText('Sections', { selector: 'summary' }));
    await click(screen.getByRole('checkbox', { name: 'Training' }));
    await waitFor(() => expect(frame.srcdoc).not.toContain('id="training"'));
    expect(frame.srcdoc).toContain('id="mistakes"');
    await click(screen.getByRole('button', { name: 'Export…' }));
    await screen.findByText('datasets/intents-it/head-report/report.html');
    expect(door.calls).toContain('exportReport without training');
  });

  it('has a preview that a person may stop, which leaves the page that was shown', async () => {
    const { app, door } = await open();
    await go('Report');
    const preview = await screen.findByTitle<HTMLIFrameElement>('Preview of the report');
    const page = preview.srcdoc;
    const draw = door.reportPage.bind(door);
    const signals: AbortSignal[] = [];
    door.reportPage = (_run, _language, _without, onProgress, signal) => {
      signals.push(signal);
      return untilStopped(onProgress, signal);
    };
    await click(screen.getByText(words.en.report.sections, { selector: 'summary' }));
    const boxes = within(screen.getByRole('group', { name: words.en.report.sections })).getAllByRole('checkbox');
    await click(boxes[0] as HTMLElement);
    await screen.findByRole('progressbar', { name: words.en.report.drawing });
    // a page of what was chosen before is set no further
    await click(boxes[1] as HTMLElement);
    await waitFor(() => expect(signals.map((signal) => signal.aborted)).toEqual([true, false]));
    await stop(words.en.report.drawing);
    expect(preview.srcdoc).toBe(page);
    door.reportPage = draw;
    await click(screen.getByRole('button', { name: words.en.retry }));
    await waitFor(() => expect(preview.srcdoc.length).toBeLessThan(page.length));
    expect(app.kept.report.without).toHaveLength(2);
    // nobody waits for the page of a screen that was left
    door.reportPage = (_run, _language, _without, onProgress, signal) => {
      signals.push(signal);
      return untilStopped(onProgress, signal);
    };
    await click(boxes[1] as HTMLElement);
    await go('Start');
    await waitFor(() => expect(signals.at(-1)?.aborted).toBe(true));
  });

  it('has the model beside it, which is written for other programs, or not where a person stops it', async () => {
    await open({ pace: 60 });
    await go('Report');
    await screen.findByTitle('Preview of the report');
    await waitFor(() => expect(screen.queryByRole('progressbar')).toBeNull());
    await click(screen.getByRole('button', { name: 'Adapter (PEFT)' }));
    await screen.findByRole('progressbar', { name: 'Writing the model' });
    await click(screen.getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(screen.queryByRole('progressbar', { name: 'Writing the model' })).toBeNull());
    expect(screen.queryByRole('alert')).toBeNull();
    await click(screen.getByRole('button', { name: 'Adapter (PEFT)' }));
    await screen.findByText('datasets/intents-it/head-adapter');
    // and so are the report and the run as one file
    for (const [name, path] of [['Export…', 'head-report/report.html'], ['Save as .lapidary…', 'head.lapidary']] as const) {
      await click(screen.getByRole('button', { name }));
      await screen.findByRole('progressbar', { name: words.en.report.writing });
      await click(screen.getByRole('button', { name: 'Stop' }));
      await waitFor(() => expect(screen.queryByRole('progressbar', { name: words.en.report.writing })).toBeNull());
      expect([screen.queryByRole('alert'), screen.queryByText(`datasets/intents-it/${path}`)]).toEqual([null, null]);
      await click(screen.getByRole('button', { name }));
      await screen.findByText(`datasets/intents-it/${path}`);
    }
  });

  it('is there for a run that failed, which is called so, without a model beside it', async () => {
    const { app } = await open({ failAt: 5 });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await waitFor(() => expect(app.runs[0]?.status).toBe('failed'), { timeout: 30_000 });
    await go('Report');
    await screen.findByTitle('Preview of the report');
    expect(screen.getByLabelText<HTMLSelectElement>('Run shown').selectedOptions[0]?.text).toBe('run-1 · Failed');
    expect(screen.queryByRole('button', { name: 'Adapter (PEFT)' })).toBeNull();
  });

  it('comes back with its run from one file, or not where a person stops it', async () => {
    const { app, door } = await open({ pace: 60 });
    await click(screen.getByRole('button', { name: 'Open a packed run…' }));
    await screen.findByRole('progressbar', { name: words.en.opening('head.lapidary') });
    const toasts = (): HTMLElement => screen.getByRole('region', { name: 'Lapidary' });
    await click(within(toasts()).getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(app.toasts).toEqual([]));
    expect([app.runFault, app.screen]).toEqual([null, 'start']);
    await click(screen.getByRole('button', { name: 'Open a packed run…' }));
    await waitFor(() => expect(app.selected).toBe('runs/head-unpacked'));
    expect(app.screen).toBe('results');
    door.drop(['broken.lapidary']);
    await screen.findByText(/is not a whole archive/);
  });
});

describe('the result of queries', () => {
  it('runs both queries of a mistake as it comes into view, with their tables side by side', async () => {
    const { door }: { door: Door } = await open();
    const ask = door.run.bind(door);
    const share = { execution_accuracy: 0.5, execution_accuracy_ci: [0.4, 0.6] };
    door.run = async (path, language) => {
      const run = await ask(path, language);
      return { ...run, run: { ...run.run, task: 'sql' }, result: { ...run.result, metrics: share, baselines: { tf_idf_logistic: share } } } as unknown as typeof run;
    };
    const row = { input: 'quanti?', expected: 'SELECT 2', output: 'SELECT 1', answer: 'SELECT 1', score: 0, probability: 0.5, reason: 'altro', index: 0 };
    // of two mistakes, as what is found for one must be told from what is found for the other
    door.predictions = () => Promise.resolve({ total: 2, rows: [row, { ...row, index: 1 }] });
    door.runQuery = (_run, sql) => Promise.resolve({ columns: ['n'], rows: [[sql.slice(-1)]], total: 1 });
    await go('Results');
    const tables = await screen.findAllByRole('table');
    expect(tables.map((table) => within(table).getAllByRole('cell').map((cell) => cell.textContent))).toEqual([['2'], ['1'], ['2'], ['1']]);
    screen.getByText('TF-IDF and logistic regression');
    expect(await complaints()).toEqual([]);
    // either can be stopped
    await go('Data');
    door.predictions = () => Promise.resolve({ total: 1, rows: [row] });
    door.runQuery = (_run, sql, onProgress, signal) => (sql === row.expected ? untilStopped(onProgress, signal) : Promise.resolve({ columns: ['n'], rows: [['1']], total: 1 }));
    await go('Results');
    await stop(`${words.en.results.expected}: ${words.en.loading}`);
    screen.getByText(words.en.stopped);
    expect(screen.getAllByRole('table')).toHaveLength(1);
  });
});

describe('a failure', () => {
  it('to start leaves a text for a report of it', async () => {
    let copied = '';
    Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: (text: string) => ((copied = text), Promise.resolve()) } });
    const door = new Double();
    door.tasks = () => Promise.reject(Object.assign(new Error(), { message: 'the library cannot be read' }));
    render(AppView, { app: new App(door) });
    expect((await screen.findByRole('alert')).textContent).toContain('the library cannot be read');
    await click(screen.getByRole('button', { name: words.en.settings.diagnostics }));
    await screen.findByText(words.en.copied);
    expect(copied).toMatch(/^Lapidary .* recorded on/);
    expect(await complaints()).toEqual([]);
  });

  it('of a figure is told where the figure would stand, unless the run has no such figure', async () => {
    const { door } = await open();
    const draw = door.figure.bind(door);
    door.figure = (run, name, language) =>
      name === 'reliability' ? Promise.reject(Object.assign(new Error(), { message: 'result.json: the disk cannot be read' })) : draw(run, name === 'coverage' ? 'a_newer_figure' : name, language);
    await go('Results');
    const title = await screen.findByRole('heading', { name: words.en.results.reliability });
    expect(title.closest('figure')?.textContent).toContain('the disk cannot be read');
    // such a figure no run has
    expect(screen.queryByText(words.en.results.coverage)).toBeNull();
  });

  it('to read the runs anew is told, and leaves nothing waiting', async () => {
    const { app, door } = await open({ cutOffAt: 30, pace: 15 });
    door.runs = () => Promise.reject(Object.assign(new Error(), { message: 'the library is locked' }));
    await app.goOn('runs/cut-off');
    await screen.findByText('the library is locked');
    expect(app.resuming).toBeNull();
  });

  it('that nobody handled is told once', async () => {
    const { app } = await open();
    const from = new EventTarget() as Window;
    tellUnhandled(app, from);
    for (let i = 0; i < 2; i += 1) from.dispatchEvent(Object.assign(new Event('unhandledrejection'), { reason: { message: 'a pipe broke' } }));
    from.dispatchEvent(Object.assign(new Event('error'), { error: new Error('a defect') }));
    from.dispatchEvent(Object.assign(new Event('error'), { error: null, message: 'ResizeObserver loop completed' }));
    expect(app.toasts.map((toast) => [toast.text, toast.bad])).toEqual([['a pipe broke', true], ['a defect', true]]);
  });
});

describe('the result of a task without labels', () => {
  it('shows its own main metric, and no matrix', async () => {
    const { door } = await open();
    const ask = door.run.bind(door);
    door.run = async (path, language) => {
      const run = await ask(path, language);
      const per_type = { person: { precision: 0.75, recall: 0.5, f1: 0.6, support: 8 } };
      const entities = { per_type, precision: 0.8, precision_ci: [0.7, 0.9], recall: 0.6, recall_ci: [0.5, 0.7], f1: 0.69, f1_ci: [0.6, 0.75], examples: 60 };
      // as a later engine will send it
      return { ...run, result: { ...run.result, metrics: entities, baselines: { untuned: { ...entities, f1: 0.1, examples: 20 } } } } as unknown as typeof run;
    };
    await go('Results');
    const hero = await screen.findByRole('region', { name: 'F1' });
    expect(hero.textContent).toContain('69.0\u202f%');
    expect(hero.textContent).toContain('10.0\u202f%');
    expect(hero.textContent).toContain('Before training on 20 of 60 rows');
    expect(screen.queryByText('Who was taken for whom')).toBeNull();
    expect(screen.getByRole('row', { name: /^person/ }).textContent).toContain('75.0\u202f%50.0\u202f%60.0\u202f%8');
    await screen.findByRole('heading', { name: new RegExp(`^${words.en.results.mistakes} \\d`) });
    await go('Compare');
    await screen.findAllByText('69.0 %');
  });
});

describe('a figure of results', () => {
  it('opens the answers behind a point of probability, by keyboard and by pointer', async () => {
    await open();
    await go('Results');
    const { data, width, height } = HEAD.figures['reliability'] as Figure;
    const points = data.kind === 'reliability' ? data.pointer.points : [];
    const [first, last] = [points[0], points.at(-1)];
    const title = await screen.findByRole('heading', { name: words.en.results.reliability });
    const figure = within(title.closest('figure') as HTMLElement);
    const layer = figure.getByRole('slider', { name: words.en.results.openPoints });
    figure.getByText(words.en.results.pointsHint);
    const many = (): string | null | undefined => document.querySelector('#answers span')?.textContent;
    const said = (point: PointerPlace | undefined): string => spaced(told(point?.opens ?? {}, words.en.results, formats.en));
    /** As its text says at its end: "(4)." */
    const counted = (point: PointerPlace | undefined): string | undefined => /\((\d+)\)\.?$/.exec(point?.text ?? '')?.[1];
    await fireEvent.keyDown(layer, { key: 'ArrowRight' });
    await fireEvent.keyDown(layer, { key: 'Enter' });
    const chip = await screen.findByRole('button', { name: (name) => spaced(name).startsWith(said(first)) });
    await waitFor(() => expect(many()).toBe(counted(first)));
    expect(layer.querySelector('.ring')).not.toBeNull();
    expect(await complaints()).toEqual([]);
    await click(chip);
    expect(screen.queryByText(/^Probability (from|of)/)).toBeNull();

    layer.getBoundingClientRect = () => ({ left: 0, top: 0, width, height }) as DOMRect;
    const [x, y] = [last?.x ?? 0, last?.y ?? 0];
    await fireEvent.click(layer, { clientX: x, clientY: y });
    await screen.findByText(said(last));
    await waitFor(() => expect(many()).toBe(counted(last)));
    // where nothing stands, nothing is opened
    await fireEvent.click(layer, { clientX: 1, clientY: 1 });
    screen.getByText(said(last));
    // and the same point closes what it opened
    await fireEvent.click(layer, { clientX: x, clientY: y });
    await waitFor(() => expect(screen.queryByText(/^Probability (from|of)/)).toBeNull());
  });

  it('is stopped where a person stops it, and so are the answers, whose list stays', async () => {
    const { door }: { door: Door } = await open();
    const [draw, read] = [door.figure.bind(door), door.predictions.bind(door)];
    door.figure = (run, name, language, onProgress, signal) => (['confusion', 'reliability'].includes(name) ? untilStopped(onProgress, signal) : draw(run, name, language, onProgress, signal));
    await go('Results');
    await stop(words.en.drawing);
    await stop(`${words.en.results.reliability}: ${words.en.drawing}`);
    door.figure = draw;
    for (let left = screen.getAllByRole('button', { name: words.en.retry }).length; left > 0; left -= 1) await click(screen.getAllByRole('button', { name: words.en.retry })[0] as HTMLElement);
    await screen.findByRole('button', { name: CELL });
    await waitFor(() => expect(screen.queryByText(words.en.stopped)).toBeNull());
    const list = within(screen.getByRole('region', { name: /^Mistakes/ }));
    const before = list.getAllByRole('listitem').map((item) => item.textContent);
    door.predictions = (_run, _filter, _offset, _limit, _language, onProgress, signal) => untilStopped(onProgress, signal);
    await click(screen.getByRole('checkbox', { name: words.en.results.surest }));
    await stop(words.en.results.reading);
    expect(list.getAllByRole('listitem').map((item) => item.textContent)).toEqual(before);
    door.predictions = read;
    await click(screen.getByRole('button', { name: words.en.retry }));
    await waitFor(() => expect(list.getAllByRole('listitem').map((item) => item.textContent)).not.toEqual(before));
  });

  it('opens the answers behind a part of a bar', async () => {
    const { app, door } = await open({ settings: { language: 'it' } });
    if (!app.capabilities) throw new Error('not open');
    app.capabilities = { ...app.capabilities, figures: ['errors'] };
    const ask = door.run.bind(door);
    door.run = async (path, language) => {
      const run = await ask(path, language);
      const entities = { per_type: {}, f1: 0.69, f1_ci: [0.6, 0.75], examples: 60 };
      return { ...run, run: { ...run.run, task: 'entities' }, result: { ...run.result, metrics: entities, baselines: {} } } as unknown as typeof run;
    };
    const bar = { x: 0, y: 0, width: 200, height: 24 };
    const points = [
      { ...bar, text: 'tutto', opens: { mistake: {} } },
      { ...bar, x: 150, width: 50, text: 'persone mancate', opens: { mistake: { kind: 'missed' as const, type: 'persone' } } },
    ];
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="60" viewBox="0 0 1200 240" role="img" aria-label="Errori"></svg>';
    door.figure = () => Promise.resolve({ svg, alt: 'Errori.', width: 300, height: 60, plot: null, data: { kind: 'entity_errors', pointer: { along: 'cells', points } } });
    const asked: unknown[] = [];
    door.predictions = (_run, filter) => {
      asked.push(filter);
      return Promise.resolve({ total: 0, rows: [] });
    };
    await go('Risultati');
    const layer = await screen.findByRole('slider', { name: words.it.results.openPoints });
    layer.getBoundingClientRect = () => ({ left: 0, top: 0, width: 300, height: 60 }) as DOMRect;
    await fireEvent.click(layer, { clientX: 160, clientY: 10 });
    await screen.findByRole('button', { name: 'mancata · persone Mostra tutto' });
    expect(layer.querySelector<HTMLElement>('.part')?.style.left).toBe('50%');
    await waitFor(() => expect(asked.at(-1)).toEqual({ mistake: { kind: 'missed', type: 'persone' }, sort: 'probability', descending: true }));
    await fireEvent.click(layer, { clientX: 20, clientY: 10 });
    await click(await screen.findByRole('button', { name: 'qualunque errore · tutti i tipi Mostra tutto' }));
    await waitFor(() => expect(asked.at(-1)).toEqual({ right: false, sort: 'probability', descending: true }));
  });
});

describe('the menu', () => {
  it('comes to a screen as the keyboard does: at its top, and on Train at the run at work', async () => {
    const { app, door } = await open({ pace: 200 });
    await waitFor(() => expect(startButton().disabled).toBe(false));
    await click(startButton());
    await screen.findByText(STEP);
    app.selected = 'runs/head';
    for (const come of [() => Promise.resolve(door.command({ kind: 'screen', screen: 'train' })), () => fireEvent.keyDown(window, { key: '3', ctrlKey: true })]) {
      await go('Models');
      app.selected = 'runs/head';
      within(screen.getByRole('navigation')).getByRole('button', { name: 'Models' }).focus();
      await come();
      expect([app.screen, app.selected]).toEqual(['train', 'runs/run-1']);
      await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('main')));
    }
  });

  it('opens a file on Data, where it is told why it cannot be read; whoever picks none stays', async () => {
    const { app, door } = await open();
    door.pickFile = () => Promise.resolve(null);
    await go('Models');
    door.command({ kind: 'open_data' });
    await new Promise((done) => setTimeout(done, 20));
    expect(app.screen).toBe('models');
    door.pickFile = () => Promise.resolve('elsewhere.csv');
    door.command({ kind: 'open_data' });
    await screen.findByText('elsewhere.csv: no such file; check the path');
    expect(app.screen).toBe('data');
  });

  it('opens a run, and changes the language and the look', async () => {
    const { app, door } = await open();
    // no command comes before the page listens
    await waitFor(() => expect(door.calls).toContain('listening'));
    door.command({ kind: 'open_run', path: 'runs/completion' });
    await waitFor(() => expect([app.screen, app.selected]).toEqual(['results', 'runs/completion']));
    door.command({ kind: 'language', language: 'it' });
    door.command({ kind: 'theme', theme: 'dark' });
    await waitFor(() => expect([document.documentElement.lang, document.documentElement.dataset['theme']]).toEqual(['it', 'dark']));
  });
});

describe('settings', () => {
  it('change the language and the look at once, and are kept', async () => {
    const { door } = await open();
    await fireEvent.change(screen.getByLabelText('Language'), { target: { value: 'it' } });
    screen.getByText('Che cosa deve imparare Gemma?');
    expect(document.documentElement.lang).toBe('it');
    await fireEvent.change(screen.getByLabelText('Aspetto'), { target: { value: 'dark' } });
    expect(document.documentElement.dataset['theme']).toBe('dark');
    expect(await door.settings()).toEqual({ language: 'it', theme: 'dark' });
  });

  it('hide what the backend cannot do', async () => {
    const { app } = await open();
    if (!app.capabilities) throw new Error('not open');
    app.capabilities = { ...app.capabilities, predict: false, edit: false, import_model: false, delete_run: false };
    await waitFor(() => expect(screen.queryByRole('button', { name: /^Try/ })).toBeNull());
    expect(screen.queryByRole('button', { name: 'Open a model file…' })).toBeNull();
    expect(screen.queryByRole('button', { name: /^Delete / })).toBeNull();
  });
});

describe('messages', () => {
  it('make room for others where they only pass, and not where something waits for them', async () => {
    const { app } = await open();
    await click(await screen.findByRole('button', { name: 'Delete head' }));
    app.tell('opening', { stay: Infinity, work: new Work() });
    for (const text of ['one', 'two', 'three']) app.tell(text);
    await waitFor(() => expect(app.toasts.map((toast) => toast.text)).toEqual([words.en.runs.deleted('head'), 'opening', 'three']));
    const messages = within(screen.getByRole('region', { name: 'Lapidary' }));
    messages.getByRole('button', { name: words.en.report.stop });
    await click(messages.getByRole('button', { name: 'Undo' }));
    await screen.findByRole('button', { name: 'Open head' });
  });
});

describe('deleting a run', () => {
  it('can be undone', async () => {
    const { door } = await open();
    await click(await screen.findByRole('button', { name: 'Delete head' }));
    expect(screen.queryByRole('button', { name: 'Open head' })).toBeNull();
    await click(screen.getByRole('button', { name: 'Undo' }));
    await screen.findByRole('button', { name: 'Open head' });
    expect((await door.runs()).some((run) => run.name === 'head')).toBe(true);
  });

  it('can be undone by the keyboard', async () => {
    const { app } = await open();
    await click(await screen.findByRole('button', { name: 'Delete head' }));
    await fireEvent.keyDown(window, { key: 'z', ctrlKey: true });
    await screen.findByRole('button', { name: 'Open head' });
    expect(app.toasts).toEqual([]);
  });
});
