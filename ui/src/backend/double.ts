/**
 * The door with recordings behind it: real runs of the tasks that ship (under `recording/`, see `recorded.ts`) with their reports and
 * figures, and the data sets that ship (see `shipped.ts`). Where a recording cannot answer, `capabilities` says so. For tests, and for a
 * browser without Tauri.
 */
import { isDatabase } from '../lib/beside';
import { FATES, judge, spansOf, type Judged } from '../lib/mistakes';
import { scores } from '../lib/scores';
import type { Door } from './door';
import { RECORDED, recorded, recording, type Recording } from './recorded';
import { Sheet, folderOf, offers, taskOf } from './shipped';
import type {
  Capabilities,
  ColumnsView,
  Command,
  DataSummary,
  Device,
  Edit,
  EventBatch,
  Failure,
  Figure,
  Language,
  MistakeFilter,
  Prediction,
  ProbabilityRange,
  Progress,
  Run,
  RunRequest,
  RunRow,
  RunStatus,
  Settings,
  Task,
  TrainEvent,
} from './types';

type StepEvent = Extract<TrainEvent, { type: 'step' }>;
type Series = Extract<Figure['data'], { kind: 'series' }>;

/** What a training used and did by step: of a run that goes on it is drawn here, of one that has ended it is recorded. */
const QUANTITIES: Readonly<Record<string, (step: StepEvent) => number | null>> = {
  learning_rate: (step) => step.learning_rate,
  gradient_norm: (step) => step.grad_norm,
  speed: (step) => step.tokens_per_second,
  memory: (step) => (step.device_memory_bytes ?? step.memory_bytes) / 1e9,
};

/** As far as it has come; name and unit are those of the whole one, which is recorded. */
function drawn(events: readonly TrainEvent[], quantity: (step: StepEvent) => number | null, { name, unit }: Series): Figure {
  const points = events.flatMap((e): [number, number | null][] => (e.type === 'step' ? [[e.step, quantity(e)]] : []));
  const [left, right, top, bottom] = [60, 346, 34, 164];
  const end = points.at(-1)?.[0] ?? 1;
  const most = points.reduce((high, [, value]) => Math.max(high, value ?? 0), 1e-9);
  const line = points.map(([step, value]) => `${(left + (step / end) * (right - left)).toFixed(1)},${(bottom - ((value ?? 0) / most) * (bottom - top)).toFixed(1)}`).join(' ');
  const svg = `<svg width="360" height="190" viewBox="0 0 360 190" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${name}"><polyline points="${line}" fill="none" stroke="currentColor"/></svg>`;
  return { svg, alt: name, width: 360, height: 190, plot: { kind: 'axes', left, right, top, bottom, x: [0, end] }, data: { kind: 'series', name, unit, points } };
}

/** Probabilities this near are one, as to the engine. */
const NEAR = 1e-12;

/** As the engine filters, see `lab::view`. */
function lies(p: Omit<Prediction, 'index'>, { from, to, calibrated }: ProbabilityRange): boolean {
  const probability = calibrated ? (p.calibrated ?? null) : p.probability;
  return probability !== null && probability + NEAR >= from && (to === undefined || probability + NEAR < to);
}

/** As above. */
function mistaken(p: Omit<Prediction, 'index'>, { kind, type }: MistakeFilter): boolean {
  const [expected, answered] = [spansOf(p.expected), p.answer === null ? [] : spansOf(p.answer)];
  const wanted = ({ span, fate }: Judged): boolean => fate !== 'hit' && (kind === undefined || fate === FATES[kind]) && (type === undefined || span.type === type);
  return expected !== null && answered !== null && judge(expected, answered).some(wanted);
}

const HEAD = recording('head', 'en');
const FOLDER = folderOf('intents-it');
const MODEL = 'gemma-3-270m';
const UNRECORDED = 'no such run was recorded; see ui/README.md';
/** A table whose columns nobody could guess. */
const ODD = 'odd.csv';
const COLUMNS: ColumnsView = { names: ['text', 'label'], mapping: {}, preview: [['Dov’è il mio pacco?', 'order_tracking']] };

export interface DoubleOptions {
  /** Nothing there yet: no model, no runs. */
  first?: boolean;
  /** Milliseconds between two events of a run that is played. */
  pace?: number;
  /** Repeat the data set until it has so many rows. */
  rows?: number;
  settings?: Partial<Settings>;
  /** The first run that is started ends badly after so many steps. */
  failAt?: number;
  /** The first run that is started loses its device after so many steps. */
  loseAt?: number;
  /** There is not memory enough for what is chosen. */
  tight?: boolean;
  /** Addresses of machines whose devices were added before. */
  elsewhere?: string[];
  /** A device of this name is tried before the first use. */
  untried?: string;
  /** There is a run that was cut off after so many steps. */
  cutOffAt?: number;
}

interface Played {
  /** Of which recording. */
  name: string;
  row: RunRow;
  /** Each in both languages. */
  events: Record<Language, TrainEvent>[];
  listeners: Set<() => void>;
  timer?: ReturnType<typeof setTimeout> | undefined;
  next: number;
}

function both(event: TrainEvent): Record<Language, TrainEvent> {
  return { en: event, it: event };
}

/** The event of a recording at a place. */
function eventAt(name: string, place: number): Record<Language, TrainEvent> | undefined {
  const [en, it] = [recording(name, 'en').events[place], recording(name, 'it').events[place]];
  return en && it ? { en, it } : undefined;
}

function fail(message: string): Promise<never> {
  const failure: Failure = { message };
  // the door's contract: a failure is a plain value
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
  return Promise.reject(failure);
}

/** What the call gives is a copy, as it would be across a process boundary. */
function give<T>(value: T): Promise<T> {
  return Promise.resolve(structuredClone(value));
}

export class Double implements Door {
  readonly #pace: number;
  readonly #failAt: number | undefined;
  #loseAt: number | undefined;
  readonly #tight: boolean;
  #untried: string | undefined;
  /** Addresses of devices of other machines. */
  #elsewhere: string[] = [];
  #remote: boolean;
  readonly #runs = new Map<string, Played>();
  readonly #commands = new Set<(command: Command) => void>();
  readonly #drags = new Set<(over: boolean) => void>();
  readonly #drops = new Set<(paths: string[]) => void>();
  /** Data sets that were opened, by their handles. */
  readonly #sheets = new Map<string, Sheet>();
  readonly #wanted: number | undefined;
  #settings: Settings;
  #hasModel: boolean;
  /** Bytes that have arrived of a model, by its name. */
  readonly #arrived = new Map<string, number>();
  #started = 0;
  /** Calls by name, for tests. */
  readonly calls: string[] = [];

  constructor(options: DoubleOptions = {}) {
    this.#pace = options.pace ?? 120;
    this.#failAt = options.failAt;
    this.#loseAt = options.loseAt;
    this.#tight = options.tight ?? false;
    this.#elsewhere = options.elsewhere ?? [];
    this.#remote = options.elsewhere !== undefined;
    this.#untried = options.untried;
    this.#hasModel = !options.first;
    this.#settings = { language: null, theme: 'system', ...options.settings };
    this.#wanted = options.rows;
    // the latest last: a newcomer looks at intents first
    if (!options.first) for (const name of [...RECORDED].reverse().flatMap((task) => recorded(task).reverse())) this.#add(name, recording(name, 'en').row.path, 'completed');
    const cut = options.cutOffAt;
    if (cut !== undefined) {
      const played = this.#add('head', 'runs/cut-off', 'interrupted');
      played.next = HEAD.events.findIndex((e) => e.type === 'step' && e.step > cut);
      played.events = this.#story('head').slice(0, played.next);
    }
  }

  #story(name: string): Record<Language, TrainEvent>[] {
    return recording(name, 'en').events.flatMap((_, place) => eventAt(name, place) ?? []);
  }

  #add(name: string, path: string, status: RunStatus): Played {
    const done = status === 'completed';
    const { row } = recording(name, 'en');
    const events = done ? this.#story(name) : [];
    const played: Played = {
      name,
      row: { ...row, path, name: path.split('/').at(-1) ?? path, status, accuracy: done ? row.accuracy : null },
      events,
      listeners: new Set(),
      next: events.length,
    };
    this.#runs.set(path, played);
    return played;
  }

  /** The recording that stands for what is asked for, as it is told in English. */
  #recording({ data, method }: RunRequest): { name: string; of: Recording } | null {
    const name = recorded(data.task).find((name) => method === 'auto' || recording(name, 'en').run.method === method);
    return name === undefined ? null : { name, of: recording(name, 'en') };
  }

  #played(path: string): Played {
    const played = this.#runs.get(path);
    if (!played) throw new Error(`${path}: there is no such run`);
    return played;
  }

  /** What a menu would send. */
  command(command: Command): void {
    for (const handler of this.#commands) handler(command);
  }

  /** What holding files over the window would send. */
  drag(over: boolean): void {
    for (const handler of this.#drags) handler(over);
  }

  /** What dropping files on the window would send. */
  drop(paths: string[]): void {
    for (const handler of this.#drops) handler(paths);
  }

  capabilities(): Promise<Capabilities> {
    return give({
      version: HEAD.run.version,
      figures: ['loss', 'learning_rate', 'gradient_norm', 'speed', 'memory', 'confusion', 'reliability', 'coverage', 'errors', 'map', 'comparison'],
      report_formats: ['html', 'svg'],
      model_formats: ['adapter'],
      data_formats: ['jsonl', 'csv', 'tsv'],
      get_model: true,
      import_model: true,
      remove_model: true,
      remote: this.#remote,
      forecast: true,
      pause: true,
      stop: true,
      resume: true,
      edit: true,
      microscope: false,
      map: true,
      predict: true,
      compare: true,
      import_predictions: true,
      delete_run: true,
      diagnostics: true,
    });
  }

  settings(): Promise<Settings> {
    return give(this.#settings);
  }
  saveSettings(settings: Settings): Promise<void> {
    this.#settings = settings;
    return give(undefined);
  }
  onCommand(handler: (command: Command) => void): () => void {
    this.#commands.add(handler);
    return () => this.#commands.delete(handler);
  }
  onDrop(handler: (paths: string[]) => void): () => void {
    this.#drops.add(handler);
    return () => this.#drops.delete(handler);
  }
  onDrag(handler: (over: boolean) => void): () => void {
    this.#drags.add(handler);
    return () => this.#drags.delete(handler);
  }
  listening(): Promise<void> {
    this.calls.push('listening');
    return give(undefined);
  }
  diagnostics(): Promise<string> {
    return give(`Lapidary ${HEAD.run.version}, recorded on ${HEAD.run.device.name}`);
  }

  pickFile(what: string): Promise<string | null> {
    return give(what === 'model' ? `models/${MODEL}` : what === 'run' ? 'head.lapidary' : `${FOLDER}/train.jsonl`);
  }
  pickFolder(): Promise<string | null> {
    return give(FOLDER);
  }

  devices(): ReturnType<Door['devices']> {
    const { id, name, api, driver } = HEAD.run.device;
    const processor: Device = { id, name, kind: 'cpu', api, driver, max_binding_bytes: 0, memory_bytes: null, f16: false, subgroups: false, parity: 'pass', detail: '', speed: null };
    return give([processor, ...this.#elsewhere.map((address): Device => ({ ...processor, id: address, name: 'NVIDIA RTX A4000', kind: 'remote', api: 'burn remote' }))]);
  }

  async addDevice(...[address, token, , signal]: Parameters<Door['addDevice']>): ReturnType<Door['addDevice']> {
    await new Promise((done) => setTimeout(done, this.#pace));
    if (signal.aborted) return fail(`device ${address}: it was no longer wanted`);
    if (token === 'wrong') return fail(`device ${address}: does not take this token; add the device again with the token that \`lapidary serve\` prints there`);
    this.#elsewhere.push(address);
    return this.devices();
  }

  removeDevice(address: string): ReturnType<Door['removeDevice']> {
    this.#elsewhere = this.#elsewhere.filter((known) => known !== address);
    return this.devices();
  }

  async readyDevice(...[, onCheck, signal]: Parameters<Door['readyDevice']>): ReturnType<Door['readyDevice']> {
    if (this.#untried !== undefined) {
      onCheck(this.#untried);
      await new Promise((done) => setTimeout(done, this.#pace));
      if (signal.aborted) return fail(`${this.#untried} was not compared with the processor to the end; try again`);
      this.#untried = undefined;
    }
    return this.devices();
  }

  tasks(): ReturnType<Door['tasks']> {
    const task = (name: string, roles: string[], methods: string[]): Task => {
      const run = recorded(name)[0];
      return { name, ready: true, roles, methods, settings: run === undefined ? [] : recording(run, 'en').settings };
    };
    return give([
      task('intent', ['text', 'label'], ['head', 'completion', 'full']),
      task('entities', ['text', 'entities'], ['tagging', 'completion', 'full']),
      task('sql', ['question', 'sql'], ['completion', 'full']),
      task('hashtags', ['text', 'hashtags'], ['completion', 'full']),
      task('custom', ['prompt', 'completion'], ['completion', 'full']),
    ]);
  }

  models(): ReturnType<Door['models']> {
    const { files, parameters } = HEAD.run.model;
    const bytes = files[0]?.count ?? 0;
    const terms = { license: 'Gemma Terms of Use', license_url: 'https://ai.google.dev/gemma/terms' };
    return give([
      {
        name: MODEL,
        title: 'Gemma 3 270M',
        path: this.#hasModel ? `models/${MODEL}` : null,
        bytes: this.#hasModel ? bytes : 0,
        partial_bytes: this.#hasModel ? 0 : (this.#arrived.get(MODEL) ?? 0),
        ...terms,
        source: 'pypi.org',
        parameters,
        download_bytes: bytes,
        gated: false,
      },
      {
        name: 'gemma-3-1b-pt',
        title: 'Gemma 3 1B',
        path: null,
        bytes: 0,
        partial_bytes: this.#arrived.get('gemma-3-1b-pt') ?? 0,
        ...terms,
        source: 'google/gemma-3-1b-pt',
        parameters: 999885952,
        download_bytes: 1999771904,
        gated: true,
      },
    ]);
  }

  async getModel(...[name, token, onProgress, signal]: Parameters<Door['getModel']>): Promise<void> {
    this.calls.push(token === null ? 'getModel' : 'getModel with a token');
    if (name !== MODEL && token === null) return fail(`${name}: huggingface.co asks for an account that accepted the licence; log in with huggingface-cli and try again`);
    const total = HEAD.run.model.files[0]?.count ?? 0;
    for (let done = this.#arrived.get(name) ?? 0; done < total; done += Math.round(total / 20)) {
      this.#arrived.set(name, done);
      if (done > 0 && signal.aborted) return fail('stopped; what has arrived is kept');
      onProgress({ done, total, what: `${MODEL}-q4_k_m.gguf` });
      await new Promise((next) => setTimeout(next, this.#pace));
    }
    onProgress({ done: total, total, what: `${MODEL}-q4_k_m.gguf` });
    this.#arrived.delete(name);
    this.#hasModel = true;
  }
  async importModel(...[path, onProgress, signal]: Parameters<Door['importModel']>): ReturnType<Door['importModel']> {
    await this.#worked(HEAD.run.model.files[0]?.count ?? 0, onProgress, signal);
    this.#hasModel = true;
    const model = (await this.models())[0];
    return model ?? fail(`${path}: is no model`);
  }
  isModel(path: string): Promise<boolean> {
    return give(/\.(gguf|safetensors)$/i.test(path) || path.startsWith('models/'));
  }
  removeModel(name: string): Promise<void> {
    if (name === MODEL) this.#hasModel = false;
    this.#arrived.delete(name);
    return give(undefined);
  }

  sourceOf(task: string, files: string[]): ReturnType<Door['sourceOf']> {
    if (files.length === 1 && files[0] !== undefined && !/\.\w+$/.test(files[0])) return give({ task: taskOf(files[0]) ?? task, folder: files[0] });
    const database = files.find(isDatabase);
    const part = (test: boolean): string | undefined => files.find((file) => file !== database && file.includes('test') === test);
    const [train, test] = [part(false), part(true)];
    const named = Object.entries({ train, test, database }).filter(([, file]) => file !== undefined);
    return give({ task: database === undefined ? task : 'sql', ...Object.fromEntries(named) });
  }
  dataOffers(): ReturnType<Door['dataOffers']> {
    return give(offers());
  }

  #sheet(task: string): Sheet {
    const known = [...this.#sheets.values()].find((sheet) => sheet.source.task === task);
    const sheet = known ?? new Sheet(task, this.#wanted);
    this.#sheets.set(sheet.id, sheet);
    return sheet;
  }

  /** Asks something of a data set that is open. */
  #ask<T>(data: string, ask: (sheet: Sheet) => T): Promise<T> {
    const sheet = this.#sheets.get(data);
    return sheet ? give(ask(sheet)) : fail(`${data}: is not open`);
  }

  openData(...[source]: Parameters<Door['openData']>): Promise<DataSummary> {
    const path = source.folder ?? source.train ?? '';
    if (path === ODD && source.columns?.['label'] === undefined) return fail('odd.csv:1: no column looks like the label');
    if (path === ODD) return give({ ...this.#sheet('intent').summary(), name: 'odd' });
    const task = taskOf(path);
    if (task === undefined) return fail(`${path}: no such file; check the path`);
    return give(this.#sheet(task).summary());
  }

  /** What is found is said in no language but English here. */
  dataSummary(data: string): Promise<DataSummary> {
    return this.#ask(data, (sheet) => sheet.summary());
  }

  dataColumns(source: Parameters<Door['dataColumns']>[0]): Promise<ColumnsView> {
    return source.train === ODD ? give({ ...COLUMNS, mapping: { text: 'text' } }) : fail('no such file; check the path');
  }
  rows(query: Parameters<Door['rows']>[0]): ReturnType<Door['rows']> {
    return this.#ask(query.data, (sheet) => sheet.page(query));
  }
  editRow(data: string, edit: Edit): Promise<DataSummary> {
    return this.#ask(data, (sheet) => sheet.edit(edit));
  }
  undoEdit(data: string): Promise<DataSummary> {
    return this.#ask(data, (sheet) => sheet.undo());
  }
  redoEdit(data: string): Promise<DataSummary> {
    return this.#ask(data, (sheet) => sheet.redo());
  }
  async checkData(...[data, onProgress, signal]: Parameters<Door['checkData']>): Promise<DataSummary> {
    const rows = await this.#ask(data, (sheet) => sheet.rows.length);
    await this.#worked(rows, onProgress, signal);
    return this.dataSummary(data);
  }
  async describeData(...[data, onProgress, signal]: Parameters<Door['describeData']>): ReturnType<Door['describeData']> {
    await this.#worked(await this.#ask(data, (sheet) => sheet.rows.length), onProgress, signal, 1);
    return this.#ask(data, (sheet) => sheet.about());
  }
  async exportData(...[data, folder, format, onProgress, signal]: Parameters<Door['exportData']>): Promise<string> {
    this.calls.push(`exportData ${format}`);
    const { name, rows } = await this.#ask(data, (sheet) => ({ name: sheet.name, rows: sheet.rows.length }));
    await this.#worked(rows, onProgress, signal);
    return `${folder}/${name}-edited`;
  }
  /** Long work in so many parts. */
  async #worked(total: number, onProgress: (progress: Progress) => void, signal: AbortSignal, parts = 10): Promise<void> {
    for (let part = 1; part <= parts; part += 1) {
      await new Promise((done) => setTimeout(done, this.#pace));
      if (signal.aborted) await fail('cancelled; nothing of it is left');
      onProgress({ done: (part * total) / parts, total, what: '' });
    }
  }
  async divideData(...[data, , , , onProgress, signal]: Parameters<Door['divideData']>): Promise<string> {
    await this.#worked(await this.#ask(data, (sheet) => sheet.rows.length), onProgress, signal);
    this.calls.push('divideData');
    return data;
  }
  /** The recording holds no tokens: words stand for them. */
  async lengths(...[data, , , , onProgress, signal]: Parameters<Door['lengths']>): ReturnType<Door['lengths']> {
    await this.#worked(await this.#ask(data, (sheet) => sheet.rows.length), onProgress, signal, 1);
    return this.#ask(data, (sheet) => sheet.lengths());
  }
  /** Nor does it hold states of the model: rows whose answers have a name in common stand for those that are alike. */
  async nearRows(...[data, id, , onProgress, signal]: Parameters<Door['nearRows']>): ReturnType<Door['nearRows']> {
    const sheet = this.#sheets.get(data);
    const row = sheet?.rows.find((one) => one.id === id);
    if (!sheet || !row) return fail(`${data}: is not open`);
    onProgress({ done: 0, total: sheet.rows.length, what: '' });
    await new Promise((done) => setTimeout(done, this.#pace));
    if (signal.aborted) return null;
    return sheet.rows.filter((one) => one.id !== id && sheet.kin(one) === sheet.kin(row)).slice(0, 10).map((one) => one.id);
  }
  /** As above: such rows stand in a ring about their name. */
  async dataMap(...[data, , , onProgress, signal]: Parameters<Door['dataMap']>): ReturnType<Door['dataMap']> {
    const sheet = this.#sheets.get(data);
    if (!sheet) return fail(`${data}: is not open`);
    const rows = sheet.rows.slice(0, 4000);
    for (const what of ['', 'points']) {
      for (let part = 0; part <= 4; part += 1) {
        onProgress({ done: Math.round((rows.length * part) / 4), total: rows.length, what });
        await new Promise((done) => setTimeout(done, this.#pace));
        if (signal.aborted) return null;
      }
    }
    const names = [...new Set(rows.map((row) => sheet.kin(row)))];
    const points = rows.map((row, i) => {
      const [turn, ring] = [(names.indexOf(sheet.kin(row)) / names.length) * 2 * Math.PI, (i * 2.4) % (2 * Math.PI)];
      const far = 12 + ((i * 37) % 50);
      return { x: 280 + 190 * Math.cos(turn) + far * Math.cos(ring), y: 280 + 190 * Math.sin(turn) + far * Math.sin(ring), text: sheet.kin(row) };
    });
    const dots = points.map((p) => `<circle cx="${p.x.toFixed(1)}" cy="${p.y.toFixed(1)}" r="3" fill="currentColor" fill-opacity="0.4"/>`).join('');
    const svg = `<svg width="560" height="560" viewBox="0 0 560 560" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="map">${dots}</svg>`;
    return give({ figure: { svg, alt: '', data: { kind: 'map', pointer: { along: 'nearest', points } }, width: 560, height: 560, plot: null }, rows: rows.map((row) => row.id), of: sheet.rows.length });
  }
  /** There is no database: what queries find was recorded. */
  async queryRow(data: string, row: number): ReturnType<Door['queryRow']> {
    const target = await this.#ask(data, (sheet) => sheet.rows.find((one) => one.id === row)?.target);
    return target?.kind === 'sql' ? this.#found('sql', target.sql) : fail('this row holds no query');
  }
  /** Why it finds nothing is said in the language of the window. */
  #found(task: string, sql: string): ReturnType<Door['runQuery']> {
    const found = recorded(task).map((name) => recording(name, this.#settings.language ?? 'en').queries[sql])[0];
    if (!found) return fail('the recording holds no database, and what this query finds was not recorded');
    return 'message' in found ? fail(found.message) : give(found);
  }
  microscope(): Promise<never> {
    return fail('the recording holds no tokens');
  }

  async forecast(...[request, signal]: Parameters<Door['forecast']>): ReturnType<Door['forecast']> {
    await new Promise((done) => setTimeout(done, this.#pace));
    if (signal.aborted) return fail('the run could not be measured: it was no longer wanted');
    const found = this.#recording(request);
    const event = found?.of.events.find((e) => e.type === 'forecast');
    const started = found?.of.events.find((e) => e.type === 'started');
    if (!found || !event || !started) return fail(UNRECORDED);
    return give({
      device_id: found.of.run.device.id,
      device: found.of.run.device.name,
      seconds: event.seconds,
      training_seconds: event.seconds,
      scoring_seconds: 0,
      steps: started.steps,
      peak_memory_bytes: event.peak_memory_bytes,
      checkpoint_bytes: 60e6,
      available_memory_bytes: this.#tight ? 1e9 : 16e9,
      fits: !this.#tight,
      instead: this.#tight ? ['train.batch=2', 'train.accumulate=4'] : [],
    });
  }

  startRun(...[request]: Parameters<Door['startRun']>): Promise<string> {
    this.calls.push('startRun');
    if (!this.#hasModel) return fail(`the model ${request.model} is not on this machine; get it first`);
    const found = this.#recording(request);
    if (!found) return fail(UNRECORDED);
    this.#started += 1;
    const played = this.#add(found.name, `runs/run-${this.#started}`, 'running');
    this.#play(played);
    return give(played.row.path);
  }

  #play(played: Played): void {
    const told = eventAt(played.name, played.next);
    if (!told) return;
    const event = told.en;
    played.next += 1;
    if (event.type === 'step' && event.step === this.#failAt && this.#started === 1) {
      this.#end(played, 'failed', both({ type: 'failed', step: event.step, message: 'the device ran out of memory; choose a smaller batch' }));
      return;
    }
    if (event.type === 'step' && event.step === this.#loseAt) {
      // the other device is not lost, too
      this.#loseAt = undefined;
      const why = {
        en: 'the device gpu:0 (A card) was lost while it computed (Unknown: Device is lost), and the run waits; to go on with the run on another device, name it: lapidary resume x --device cpu',
        it: 'il dispositivo gpu:0 (A card) è andato perso mentre calcolava (Unknown: Device is lost), e l’esecuzione aspetta; per proseguire l’esecuzione su un altro dispositivo, indicalo: lapidary resume x --device cpu',
      };
      this.#end(played, 'lost', both({ type: 'paused', step: this.#step(played), why }));
      return;
    }
    if (event.type === 'completed') {
      this.#end(played, 'completed', told);
      return;
    }
    this.#tell(played, told);
    played.timer = setTimeout(() => this.#play(played), this.#pace);
  }

  #tell(played: Played, event: Record<Language, TrainEvent>): void {
    played.events.push(event);
    for (const listener of played.listeners) listener();
  }

  #end(played: Played, status: RunStatus, event: Record<Language, TrainEvent>): void {
    clearTimeout(played.timer);
    played.row.status = status;
    if (status === 'completed') played.row.accuracy = recording(played.name, 'en').row.accuracy;
    this.#tell(played, event);
  }

  #step(played: Played): number {
    return played.events.reduce((at, { en }) => (en.type === 'step' ? en.step : at), 0);
  }

  pauseRun(run: string): Promise<void> {
    const played = this.#played(run);
    clearTimeout(played.timer);
    played.row.status = 'paused';
    this.#tell(played, both({ type: 'paused', step: this.#step(played) }));
    return give(undefined);
  }
  resumeRun(...[run, device]: Parameters<Door['resumeRun']>): Promise<void> {
    if (device !== undefined) this.calls.push(`resumeRun on ${device}`);
    const played = this.#played(run);
    played.row.status = 'running';
    this.#tell(played, both({ type: 'resumed', step: this.#step(played) }));
    this.#play(played);
    return give(undefined);
  }
  stopRun(run: string): Promise<void> {
    const played = this.#played(run);
    const metrics = recording(played.name, 'en').events.find((e) => e.type === 'completed')?.metrics ?? {};
    this.#end(played, 'stopped', both({ type: 'completed', step: this.#step(played), status: 'stopped', seconds: 0, metrics }));
    return give(undefined);
  }
  runs(): Promise<RunRow[]> {
    return give([...this.#runs.values()].map((played) => played.row).reverse());
  }
  run(...[run, language]: Parameters<Door['run']>): Promise<Run> {
    const played = this.#runs.get(run);
    if (!played) return fail(`${run}: there is no such run`);
    const ended = played.row.status === 'completed' || played.row.status === 'stopped';
    const { run: chosen, result, changes, source } = recording(played.name, language);
    return give({ row: played.row, run: chosen, result: ended ? result : null, changes, source });
  }
  subscribe(run: string, from: number, language: Language, onBatch: (batch: EventBatch) => void): Promise<() => void> {
    const played = this.#played(run);
    let at = from;
    const listener = (): void => {
      if (at >= played.events.length) return;
      const events = structuredClone(played.events.slice(at).map((told) => told[language]));
      onBatch({ run, from: at, events });
      at = played.events.length;
    };
    played.listeners.add(listener);
    listener();
    return Promise.resolve(() => played.listeners.delete(listener));
  }
  deleteRun(run: string): Promise<void> {
    clearTimeout(this.#runs.get(run)?.timer);
    this.#runs.delete(run);
    return give(undefined);
  }

  predictions(run: string, filter: Parameters<Door['predictions']>[1], offset: number, limit: number, language: Language): ReturnType<Door['predictions']> {
    const search = (filter.search ?? '').toLowerCase();
    const found = recording(this.#played(run).name, language)
      .predictions.map((p, index) => ({ ...p, index }))
      .filter(
        (p) =>
          (filter.right === undefined || p.score === 1 === filter.right) &&
          (!filter.expected || p.expected === filter.expected) &&
          (filter.answer === undefined || (p.answer ?? '') === filter.answer) &&
          (filter.index === undefined || p.index === filter.index) &&
          (filter.probability === undefined || lies(p, filter.probability)) &&
          (filter.mistake === undefined || mistaken(p, filter.mistake)) &&
          p.input.toLowerCase().includes(search),
      );
    if (filter.sort === 'probability') found.sort((a, b) => (filter.descending ? b.probability - a.probability : a.probability - b.probability));
    return give({ total: found.length, rows: found.slice(offset, offset + limit) });
  }

  async runQuery(...[run, sql]: Parameters<Door['runQuery']>): ReturnType<Door['runQuery']> {
    this.calls.push(`runQuery ${sql}`);
    return this.#found(this.#played(run).row.task, sql);
  }
  figure(run: string, name: string, language: Language): Promise<Figure> {
    const played = this.#played(run);
    const { figures, stages } = recording(played.name, language);
    const ended = played.row.status === 'completed';
    const [quantity, whole] = [QUANTITIES[name], figures[name]?.data];
    if (quantity && !ended && whole?.kind === 'series') return give(drawn(played.events.map((told) => told[language]), quantity, whole));
    const step = this.#step(played);
    const figure = name === 'loss' && !ended ? (stages.findLast((s) => s.step <= step) ?? stages[0])?.figure : undefined;
    const found = figure ?? figures[name];
    return found ? give(found) : fail(`${run} has no figure \`${name}\``);
  }

  async predict(...[run, text, onSaid, signal]: Parameters<Door['predict']>): ReturnType<Door['predict']> {
    const asked = recording(this.#played(run).name, 'en').asked.find((one) => one.text === text);
    if (!asked) return fail('the recording knows only the first messages of the test set; take one of the examples');
    for (const [tuned, answer] of [[true, asked.tuned], [false, asked.base]] as const) {
      // a piece at a time, as a model writes it
      for (let end = 4; end < answer.output.length; end += 4) {
        onSaid({ tuned, output: answer.output.slice(0, end), answer: null });
        await new Promise((done) => setTimeout(done, this.#pace));
        if (signal.aborted) return fail('the models were stopped before they had answered');
      }
      onSaid({ tuned, output: answer.output, answer });
    }
    return give(asked);
  }
  /** Counted off the recorded answers, by the normal approximation; p says only on which side of 5 % the difference lies. */
  async compare(...[runs, , onProgress, signal]: Parameters<Door['compare']>): ReturnType<Door['compare']> {
    await this.#worked(runs.length, onProgress, signal, 1);
    const of = (run: string): Recording => recording(this.#played(run).name, 'en');
    const tests = runs.flatMap((a, i) =>
      runs.slice(i + 1).map((b) => {
        const [one, other] = [of(a).predictions, of(b).predictions];
        const same = one.length === other.length && one.every((p, k) => p.input === other[k]?.input);
        const examples = same ? one.length : 0;
        const better = (x: typeof one, y: typeof one): number => (same ? x.filter((p, k) => p.score > (y[k]?.score ?? 0)).length : 0);
        const [only_a, only_b] = [better(one, other), better(other, one)];
        const difference = (only_b - only_a) / Math.max(examples, 1);
        const error = (1.96 * Math.sqrt(only_a + only_b)) / Math.max(examples, 1);
        const metric = scores(of(a).result.metrics)[0]?.key ?? 'score';
        return { a, b, metric, examples, difference, interval: [difference - error, difference + error] as [number, number], p: Math.abs(difference) > error ? 0.01 : 0.5, only_a, only_b };
      }),
    );
    return give({ runs, tests, figure: null });
  }
  async importPredictions(...[, like, onProgress, signal]: Parameters<Door['importPredictions']>): Promise<RunRow> {
    const { name, row } = this.#played(like);
    await this.#worked(recording(name, 'en').predictions.length, onProgress, signal);
    // another run of the task stands for the other system
    const other = recorded(row.task).find((run) => run !== name) ?? name;
    return { ...this.#add(other, 'runs/other-system', 'completed').row };
  }

  /** The recorded page without the sections that are left out, whose headings carry their names. */
  async reportPage(...[run, language, without, onProgress, signal]: Parameters<Door['reportPage']>): ReturnType<Door['reportPage']> {
    await this.#worked(20, onProgress, signal, 1);
    const page = new DOMParser().parseFromString(recording(this.#played(run).name, language).page, 'text/html');
    const all = [...page.querySelectorAll('section[id]')];
    const sections = all.map((section) => ({ id: section.id, heading: section.querySelector('h2')?.textContent.trim() ?? section.id }));
    for (const section of all) if (without.includes(section.id)) section.remove();
    return give({ html: `<!doctype html>${page.documentElement.outerHTML}`, sections });
  }
  async exportReport(...[run, formats, folder, , without, onProgress, signal]: Parameters<Door['exportReport']>): Promise<string[]> {
    this.calls.push(without.length > 0 ? `exportReport without ${without.join(', ')}` : 'exportReport');
    await this.#worked(20, onProgress, signal);
    return formats.map((format) => `${folder}/${this.#played(run).row.name}-report/report.${format}`);
  }
  async exportModel(...[run, format, folder, , onProgress, signal]: Parameters<Door['exportModel']>): Promise<string> {
    await this.#worked(1e7, onProgress, signal);
    return `${folder}/${this.#played(run).row.name}-${format}`;
  }
  async packRun(...[run, folder, onProgress, signal]: Parameters<Door['packRun']>): Promise<string> {
    await this.#worked(1e7, onProgress, signal);
    return `${folder}/${this.#played(run).row.name}.lapidary`;
  }
  async unpackRun(...[path, onProgress, signal]: Parameters<Door['unpackRun']>): Promise<string> {
    if (!path.endsWith('head.lapidary')) return fail(`${path}: is not a whole archive; get it again`);
    await this.#worked(1e7, onProgress, signal);
    return this.#add('head', 'runs/head-unpacked', 'completed').row.path;
  }
}
