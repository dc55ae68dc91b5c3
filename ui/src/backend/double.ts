/**
 * The door with a recording behind it: two real runs on the intents data set that ships (a head and a
 * completion, under `recording/`), their reports and figures, and that data set. Where a recording cannot
 * answer, `capabilities` says so; the untuned model's single answers were not recorded, and the answers of
 * the completion stand in for them. For tests, and for a browser without Tauri.
 */
import testRows from '../../../datasets/intents-it/test.jsonl?raw';
import trainRows from '../../../datasets/intents-it/train.jsonl?raw';
import validationRows from '../../../datasets/intents-it/validation.jsonl?raw';
import completion from './recording/completion.json';
import head from './recording/head.json';
import pages from './recording/pages.json';
import { isDatabase } from '../lib/beside';
import { FATES, judge, spansOf, type Judged } from '../lib/mistakes';
import { words } from '../words';
import type { Door } from './door';
import type {
  Answer,
  Capabilities,
  Classification,
  ColumnsView,
  Command,
  DataSummary,
  Device,
  Edit,
  EventBatch,
  Failure,
  Figure,
  FigureData,
  Finding,
  Language,
  MistakeFilter,
  Plot,
  Prediction,
  ProbabilityRange,
  Progress,
  ReliabilityBin,
  Row,
  Run,
  RunFile,
  RunResult,
  RunRow,
  RunStatus,
  Sample,
  Settings,
  Split,
  TrainEvent,
} from './types';

interface Recording {
  run: RunFile;
  /** Both were trained on labels. */
  result: Omit<RunResult, 'metrics'> & { metrics: Classification | null };
  events: TrainEvent[];
  predictions: Omit<Prediction, 'index'>[];
  figures: Record<Language, Record<string, RecordedFigure>>;
  /** The loss curve as it stood after some steps. */
  stages: ({ step: number } & Record<Language, RecordedFigure>)[];
}

/** A figure as it was recorded: without its size, its data area in units of the drawing, and without what stands where. */
interface RecordedFigure {
  svg: string;
  alt: string;
  data: { kind: string; bins?: ReliabilityBin[]; labels?: string[] };
  plot: Plot | null;
}

/**
 * The recordings are older than the answers at every evaluation: those to four test examples stand in for them, in the
 * first half of a run the ones of the `other` run.
 */
function sampled(recording: Recording, other: Recording): Recording {
  const steps = recording.events.reduce((most, e) => (e.type === 'step' ? e.step : most), 0);
  const samples = (step: number): Sample[] =>
    [0, 40, 80, 120].flatMap((i) => {
      const said = (step * 2 < steps ? other : recording).predictions[i];
      return said ? [{ input: said.input, expected: said.expected, output: said.output, answer: said.answer, right: said.score === 1 }] : [];
    });
  return { ...recording, events: recording.events.map((e) => (e.type === 'evaluation' ? { ...e, samples: samples(e.step) } : e)) };
}

/** What the engine says of a figure today: the drawing tells its size and where the points of a reliability diagram stand, its bins what they open. */
function today(figure: RecordedFigure): Figure {
  const svg = new DOMParser().parseFromString(figure.svg, 'image/svg+xml').documentElement;
  const [, , across = 1] = (svg.getAttribute('viewBox') ?? '').split(' ').map(Number);
  const [width, height] = [Number(svg.getAttribute('width')), Number(svg.getAttribute('height'))];
  const { plot, data } = figure;
  const pixels = (units: number): number => (units * width) / across;
  const sized = { ...figure, width, height };
  if (plot?.kind === 'axes') return { ...sized, data: data as FigureData, plot: { ...plot, left: pixels(plot.left), right: pixels(plot.right), top: pixels(plot.top), bottom: pixels(plot.bottom) } };
  if (plot) {
    const confusion = { ...data, order: (data.labels ?? []).map((_, i) => i) } as FigureData;
    return { ...sized, data: confusion, plot: { ...plot, left: pixels(plot.left), top: pixels(plot.top), cell: pixels(plot.cell), gap: pixels(plot.gap) } };
  }
  const bins = data.bins ?? [];
  const said = figure.alt.split(/(?<=\.) (?=A)/).slice(1);
  const points = [...svg.querySelectorAll('circle')].map((circle, i) => {
    const at = (name: string): number => pixels(Number(circle.getAttribute(name)));
    const bin = Math.min(Math.floor((bins[i]?.confidence ?? 0) * 10), 9);
    const probability: ProbabilityRange = { from: bin / 10, ...(bin < 9 ? { to: (bin + 1) / 10 } : {}) };
    return { x: at('cx'), y: at('cy'), text: said[i] ?? '', opens: { probability } };
  });
  return { ...sized, plot: null, data: { ...data, pointer: { along: 'nearest', points: bins.length > 0 ? points : [] } } as FigureData };
}

/** Nor are quantities recorded: the learning rate is drawn from the events. */
function learningRate(events: readonly TrainEvent[], language: Language): Figure {
  const points = events.flatMap((e): [number, number][] => (e.type === 'step' ? [[e.step, e.learning_rate]] : []));
  const [left, right, top, bottom] = [60, 346, 34, 164];
  const end = points.at(-1)?.[0] ?? 1;
  const most = points.reduce((high, [, rate]) => Math.max(high, rate), 1e-9);
  const line = points.map(([step, rate]) => `${(left + (step / end) * (right - left)).toFixed(1)},${(bottom - (rate / most) * (bottom - top)).toFixed(1)}`).join(' ');
  const name = words[language].train.rate;
  const svg = `<svg width="360" height="190" viewBox="0 0 360 190" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${name}"><polyline points="${line}" fill="none" stroke="currentColor"/></svg>`;
  return { svg, alt: name, width: 360, height: 190, plot: { kind: 'axes', left, right, top, bottom, x: [0, end] }, data: { kind: 'series', name, unit: '', points } };
}

/** As the engine filters, see `lab::view`. */
function lies(p: Omit<Prediction, 'index'>, { from, to, calibrated }: ProbabilityRange): boolean {
  const probability = calibrated ? (p.calibrated ?? null) : p.probability;
  return probability !== null && probability >= from && (to === undefined || probability < to);
}

/** As above. */
function mistaken(p: Omit<Prediction, 'index'>, { kind, type }: MistakeFilter): boolean {
  const [expected, answered] = [spansOf(p.expected), p.answer === null ? [] : spansOf(p.answer)];
  const wanted = ({ span, fate }: Judged): boolean => fate !== 'hit' && (kind === undefined || fate === FATES[kind]) && (type === undefined || span.type === type);
  return expected !== null && answered !== null && judge(expected, answered).some(wanted);
}

const HEAD = sampled(head as unknown as Recording, completion as unknown as Recording);
const COMPLETION = sampled(completion as unknown as Recording, head as unknown as Recording);
const FOLDER = 'datasets/intents-it';
const MODEL = 'gemma-3-270m';
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
  recording: Recording;
  row: RunRow;
  events: TrainEvent[];
  listeners: Set<() => void>;
  timer?: ReturnType<typeof setTimeout> | undefined;
  next: number;
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

function parse(text: string, split: Split, start: number): Row[] {
  return text
    .trim()
    .split('\n')
    .map((line, i) => {
      const { text, label } = JSON.parse(line) as { text: string; label: string };
      return { id: start + i, split, origin: `${FOLDER}/${split}.jsonl:${i + 1}`, text, target: { kind: 'label', label }, findings: [], group: null, changed: false };
    });
}

function length(row: Row): number {
  return row.text.split(/\s+/).length;
}

function within(n: number, [from, to]: [number, number]): boolean {
  return n >= from && n <= to;
}

function label(row: Row): string {
  return row.target.kind === 'label' ? row.target.label : '';
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
  #rows: Row[];
  #settings: Settings;
  #hasModel: boolean;
  /** Bytes that have arrived of a model, by its name. */
  readonly #arrived = new Map<string, number>();
  #history: Row[][] = [];
  #future: Row[][] = [];
  #started = 0;
  /** Rows that were too long when lengths were measured. */
  #long = 0;
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
    const train = parse(trainRows, 'train', 0);
    const validation = parse(validationRows, 'validation', train.length);
    const rows = [...train, ...validation, ...parse(testRows, 'test', train.length + validation.length)];
    const wanted = options.rows ?? rows.length;
    this.#rows = Array.from({ length: wanted }, (_, i) => ({ ...(rows[i % rows.length] as Row), id: i }));
    if (!options.first) {
      this.#add(COMPLETION, 'runs/completion-2026-11-24', 'completed');
      this.#add(HEAD, 'runs/head-2026-11-24', 'completed');
    }
    const cut = options.cutOffAt;
    if (cut !== undefined) {
      const played = this.#add(HEAD, 'runs/cut-off', 'interrupted');
      played.next = HEAD.events.findIndex((e) => e.type === 'step' && e.step > cut);
      played.events = HEAD.events.slice(0, played.next);
    }
  }

  #add(recording: Recording, path: string, status: RunStatus): Played {
    const done = status === 'completed';
    const row: RunRow = {
      path,
      name: path.split('/').at(-1) ?? path,
      task: recording.run.task,
      method: recording.run.method,
      status,
      accuracy: done ? (recording.result.metrics?.accuracy ?? null) : null,
      started: recording.run.started,
      model: recording.run.model.name,
      data: recording.run.data.name,
      bytes: 17_300_000,
    };
    const played: Played = { recording, row, events: done ? recording.events : [], listeners: new Set(), next: done ? recording.events.length : 0 };
    this.#runs.set(path, played);
    return played;
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
      figures: ['loss', 'learning_rate', 'confusion', 'reliability', 'comparison'],
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
    return give([
      {
        name: 'intent',
        ready: true,
        roles: ['text', 'label'],
        methods: ['head', 'completion'],
        settings: [
          { key: 'train.epochs', kind: 'integer', value: '4' },
          { key: 'train.batch', kind: 'integer', value: '8' },
          { key: 'train.learning_rate', kind: 'float', value: '0.0002' },
          { key: 'lora.rank', kind: 'integer', value: '16' },
        ],
      },
      // no data set of theirs is recorded
      { name: 'entities', ready: true, roles: ['text', 'entities'], methods: ['tagging', 'completion'], settings: [] },
      { name: 'sql', ready: true, roles: ['question', 'sql'], methods: ['completion'], settings: [] },
      { name: 'hashtags', ready: true, roles: ['text', 'hashtags'], methods: ['completion'], settings: [] },
      { name: 'custom', ready: true, roles: ['prompt', 'completion'], methods: ['completion'], settings: [] },
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
    if (files.length === 1 && files[0] !== undefined && !/\.\w+$/.test(files[0])) return give({ task: files[0] === FOLDER ? 'intent' : task, folder: files[0] });
    const database = files.find(isDatabase);
    const part = (test: boolean): string | undefined => files.find((file) => file !== database && file.includes('test') === test);
    const [train, test] = [part(false), part(true)];
    const named = Object.entries({ train, test, database }).filter(([, file]) => file !== undefined);
    return give({ task: database === undefined ? task : 'sql', ...Object.fromEntries(named) });
  }
  dataOffers(): ReturnType<Door['dataOffers']> {
    return give([{ name: 'intents-it', language: 'it', source: { task: 'intent', folder: FOLDER }, shipped: true, examples: 120 }]);
  }

  #summary(): DataSummary {
    const splits: Partial<Record<Split, number>> = {};
    const labels = new Map<string, { label: string; train: number; validation: number; test: number }>();
    for (const row of this.#rows) {
      splits[row.split] = (splits[row.split] ?? 0) + 1;
      const count = labels.get(label(row)) ?? { label: label(row), train: 0, validation: 0, test: 0 };
      count[row.split] += 1;
      labels.set(label(row), count);
    }
    const empty = this.#rows.filter((row) => row.findings.includes('empty_label')).length;
    const findings: Finding[] = [];
    if (empty > 0) findings.push({ kind: 'empty_label', severity: 'error', count: empty, message: `${empty} rows have an empty label; delete them or label them`, fix: 'Every row that is left then teaches something.' });
    if (this.#long > 0) findings.push({ kind: 'too_long', severity: 'error', count: this.#long, message: `${this.#long} rows are too long; shorten them`, fix: 'With --set max_tokens=48 all of them fit.' });
    return {
      id: FOLDER,
      source: { task: 'intent', folder: FOLDER },
      task: 'intent',
      name: 'intents-it',
      language: 'it',
      license: 'CC0-1.0',
      splits,
      labels: [...labels.values()].sort((a, b) => a.label.localeCompare(b.label)),
      findings,
      columns: { ...COLUMNS, mapping: { text: 'text', label: 'label' } },
      changes: this.#history.length,
      undone: this.#future.length,
      skipped: 0,
      first_skipped: null,
      exports: ['jsonl', 'csv', 'a-newer-format'],
    };
  }

  openData(...[source]: Parameters<Door['openData']>): Promise<DataSummary> {
    const path = source.folder ?? source.train ?? '';
    if (path === ODD && source.columns?.['label'] === undefined) return fail('odd.csv:1: no column looks like the label');
    if (path === ODD) return give({ ...this.#summary(), name: 'odd' });
    if (!path.startsWith(FOLDER)) return fail(`${path}: no such file; check the path`);
    return give(this.#summary());
  }

  /** What is found is said in no language but English here. */
  dataSummary(data: string): Promise<DataSummary> {
    return data === FOLDER ? give(this.#summary()) : fail(`${data}: is not open`);
  }

  dataColumns(source: Parameters<Door['dataColumns']>[0]): Promise<ColumnsView> {
    return source.train === ODD ? give({ ...COLUMNS, mapping: { text: 'text' } }) : fail('no such file; check the path');
  }
  rows(query: Parameters<Door['rows']>[0]): ReturnType<Door['rows']> {
    const search = query.search.toLowerCase();
    const finding = query.filter.finding === undefined ? undefined : this.#summary().findings[query.filter.finding]?.kind;
    let found = this.#rows.filter(
      (row) =>
        (!query.filter.split || row.split === query.filter.split) &&
        (!query.filter.label || label(row) === query.filter.label) &&
        (query.filter.text === undefined || row.text === query.filter.text) &&
        (query.filter.among?.includes(row.id) ?? true) &&
        (query.filter.changed === undefined || row.changed === query.filter.changed) &&
        (query.filter.tokens === undefined || (row.split === 'train' && within(length(row), query.filter.tokens))) &&
        (finding === undefined || row.findings.includes(finding)) &&
        (search === '' || row.text.toLowerCase().includes(search) || label(row).includes(search)),
    );
    const key = { row: (r: Row) => r.id, text: (r: Row) => r.text, target: label, split: (r: Row) => ['train', 'validation', 'test'].indexOf(r.split) }[query.sort.by];
    if (query.sort.by !== 'row' || query.sort.descending) {
      const sign = query.sort.descending ? -1 : 1;
      found = [...found].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return sign * (typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y)));
      });
    }
    return give({ total: found.length, rows: found.slice(query.offset, query.offset + query.limit) });
  }

  editRow(_data: string, edit: Edit): Promise<DataSummary> {
    this.#history.push(this.#rows);
    this.#future = [];
    if (edit.kind === 'add') {
      const id = this.#rows.reduce((most, row) => Math.max(most, row.id), -1) + 1;
      this.#rows = [...this.#rows, { id, split: edit.split, origin: `added:${id + 1}`, text: edit.text, target: edit.target, findings: [], group: null, changed: true }];
      return give(this.#summary());
    }
    const change = (row: Row): Row => {
      if (edit.kind === 'relabel') return { ...row, target: edit.target, findings: [], changed: true };
      if (edit.kind === 'rewrite') return { ...row, text: edit.text, changed: true };
      return edit.kind === 'move' ? { ...row, split: edit.split, changed: true } : row;
    };
    this.#rows = edit.kind === 'delete' ? this.#rows.filter((row) => row.id !== edit.row) : this.#rows.map((row) => (row.id === edit.row ? change(row) : row));
    return give(this.#summary());
  }
  undoEdit(data: string): Promise<DataSummary> {
    if (data !== FOLDER) return fail(`${data}: is not open`);
    const before = this.#history.pop();
    if (before) {
      this.#future.push(this.#rows);
      this.#rows = before;
    }
    return give(this.#summary());
  }
  redoEdit(): Promise<DataSummary> {
    const after = this.#future.pop();
    if (after) {
      this.#history.push(this.#rows);
      this.#rows = after;
    }
    return give(this.#summary());
  }
  async checkData(...[, onProgress, signal]: Parameters<Door['checkData']>): Promise<DataSummary> {
    await this.#worked(this.#rows.length, onProgress, signal);
    return this.#summary();
  }
  /** The words that only one label has stand for those that tell it from the others. */
  async describeData(...[, onProgress, signal]: Parameters<Door['describeData']>): ReturnType<Door['describeData']> {
    await this.#worked(this.#rows.length, onProgress, signal, 1);
    const words = new Map<string, Set<string>>();
    for (const row of this.#rows) for (const word of row.text.toLowerCase().split(/[^\p{L}\d]+/u)) if (word !== '') words.set(word, (words.get(word) ?? new Set()).add(label(row)));
    const own = (name: string): string[] => [...words].filter(([, labels]) => labels.size === 1 && labels.has(name)).map(([word]) => word);
    const names = this.#summary().labels.map((count) => count.label);
    const telling = names.map((name) => ({ name, words: own(name).slice(0, 8) }));
    return give({ words: words.size, known_words: {}, telling, features: [], tables: [], tags: [], known_tags: {} });
  }
  async exportData(...[, folder, format, onProgress, signal]: Parameters<Door['exportData']>): Promise<string> {
    this.calls.push(`exportData ${format}`);
    await this.#worked(this.#rows.length, onProgress, signal);
    return `${folder}/intents-it-edited`;
  }
  /** Long work in so many parts. */
  async #worked(total: number, onProgress: (progress: Progress) => void, signal: AbortSignal, parts = 10): Promise<void> {
    for (let part = 1; part <= parts; part += 1) {
      await new Promise((done) => setTimeout(done, this.#pace));
      if (signal.aborted) await fail('cancelled; nothing of it is left');
      onProgress({ done: (part * total) / parts, total, what: '' });
    }
  }
  async divideData(...[, , , , onProgress, signal]: Parameters<Door['divideData']>): Promise<string> {
    await this.#worked(this.#rows.length, onProgress, signal);
    this.calls.push('divideData');
    return FOLDER;
  }
  /** The recording holds no tokens: words stand for them. */
  async lengths(...[, , , , onProgress, signal]: Parameters<Door['lengths']>): ReturnType<Door['lengths']> {
    await this.#worked(this.#rows.length, onProgress, signal, 1);
    const counts = this.#rows.filter((row) => row.split === 'train').slice(0, 20_000).map(length);
    const longest = counts.reduce((most, n) => Math.max(most, n), 0);
    const bins = Array.from({ length: longest }, (_, i) => ({ from: i + 1, to: i + 1, count: counts.filter((n) => n === i + 1).length }));
    this.#long = counts.filter((n) => n > 24).length;
    return give({ bins, longest, limit: 24, over_limit: this.#long, measured: counts.length, made: 0, refused: this.#long });
  }
  /** The recording holds no states of the model: the first rows of a label stand for those that are alike. */
  async nearRows(...[, id, , onProgress, signal]: Parameters<Door['nearRows']>): ReturnType<Door['nearRows']> {
    onProgress({ done: 0, total: this.#rows.length, what: '' });
    await new Promise((done) => setTimeout(done, this.#pace));
    const row = this.#rows.find((one) => one.id === id);
    if (signal.aborted || !row) return null;
    return this.#rows.filter((one) => one.id !== id && label(one) === label(row)).slice(0, 10).map((one) => one.id);
  }
  /** The recording holds no states of the model: the rows of a label stand in a ring about it. */
  async dataMap(...[, , , onProgress, signal]: Parameters<Door['dataMap']>): ReturnType<Door['dataMap']> {
    const rows = this.#rows.slice(0, 4000);
    for (const what of ['', 'points']) {
      for (let part = 0; part <= 4; part += 1) {
        onProgress({ done: Math.round((rows.length * part) / 4), total: rows.length, what });
        await new Promise((done) => setTimeout(done, this.#pace));
        if (signal.aborted) return null;
      }
    }
    const names = [...new Set(rows.map(label))];
    const points = rows.map((row, i) => {
      const [turn, ring] = [(names.indexOf(label(row)) / names.length) * 2 * Math.PI, (i * 2.4) % (2 * Math.PI)];
      const far = 12 + ((i * 37) % 50);
      return { x: 280 + 190 * Math.cos(turn) + far * Math.cos(ring), y: 280 + 190 * Math.sin(turn) + far * Math.sin(ring), text: label(row) };
    });
    const dots = points.map((p) => `<circle cx="${p.x.toFixed(1)}" cy="${p.y.toFixed(1)}" r="3" fill="currentColor" fill-opacity="0.4"/>`).join('');
    const svg = `<svg width="560" height="560" viewBox="0 0 560 560" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="map">${dots}</svg>`;
    return give({ figure: { svg, alt: '', data: { kind: 'map', pointer: { along: 'nearest', points } }, width: 560, height: 560, plot: null }, rows: rows.map((row) => row.id), of: this.#rows.length });
  }
  queryRow(): Promise<never> {
    return fail('the recording holds no database');
  }
  microscope(): Promise<never> {
    return fail('the recording holds no tokens');
  }

  async forecast(...[, signal]: Parameters<Door['forecast']>): ReturnType<Door['forecast']> {
    await new Promise((done) => setTimeout(done, this.#pace));
    if (signal.aborted) return fail('the run could not be measured: it was no longer wanted');
    const event = HEAD.events.find((e) => e.type === 'forecast');
    if (!event) return fail('the recording holds no forecast');
    return give({
      device_id: HEAD.run.device.id,
      device: HEAD.run.device.name,
      seconds: event.seconds,
      training_seconds: event.seconds,
      scoring_seconds: 0,
      steps: 30,
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
    this.#started += 1;
    const played = this.#add(request.method === 'completion' ? COMPLETION : HEAD, `runs/run-${this.#started}`, 'running');
    this.#play(played);
    return give(played.row.path);
  }

  #play(played: Played): void {
    const event = played.recording.events[played.next];
    if (!event) return;
    played.next += 1;
    if (event.type === 'step' && event.step === this.#failAt && this.#started === 1) {
      this.#end(played, 'failed', { type: 'failed', step: event.step, message: 'the device ran out of memory; choose a smaller batch' });
      return;
    }
    if (event.type === 'step' && event.step === this.#loseAt) {
      // the other device is not lost, too
      this.#loseAt = undefined;
      const why = {
        en: 'the device gpu:0 (A card) was lost while it computed (Unknown: Device is lost), and the run waits; to go on with the run on another device, name it: lapidary resume x --device cpu',
        it: 'il dispositivo gpu:0 (A card) è andato perso mentre calcolava (Unknown: Device is lost), e l’esecuzione aspetta; per proseguire l’esecuzione su un altro dispositivo, indicalo: lapidary resume x --device cpu',
      };
      this.#end(played, 'lost', { type: 'paused', step: this.#step(played), why });
      return;
    }
    if (event.type === 'completed') {
      this.#end(played, 'completed', event);
      return;
    }
    this.#tell(played, event);
    played.timer = setTimeout(() => this.#play(played), this.#pace);
  }

  #tell(played: Played, event: TrainEvent): void {
    played.events.push(event);
    for (const listener of played.listeners) listener();
  }

  #end(played: Played, status: RunStatus, event: TrainEvent): void {
    clearTimeout(played.timer);
    played.row.status = status;
    if (status === 'completed') played.row.accuracy = played.recording.result.metrics?.accuracy ?? null;
    this.#tell(played, event);
  }

  #step(played: Played): number {
    return played.events.reduce((at, e) => (e.type === 'step' ? e.step : at), 0);
  }

  pauseRun(run: string): Promise<void> {
    const played = this.#played(run);
    clearTimeout(played.timer);
    played.row.status = 'paused';
    this.#tell(played, { type: 'paused', step: this.#step(played) });
    return give(undefined);
  }
  resumeRun(...[run, device]: Parameters<Door['resumeRun']>): Promise<void> {
    if (device !== undefined) this.calls.push(`resumeRun on ${device}`);
    const played = this.#played(run);
    played.row.status = 'running';
    this.#tell(played, { type: 'resumed', step: this.#step(played) });
    this.#play(played);
    return give(undefined);
  }
  stopRun(run: string): Promise<void> {
    const played = this.#played(run);
    const metrics = played.recording.events.find((e) => e.type === 'completed')?.metrics ?? {};
    this.#end(played, 'stopped', { type: 'completed', step: this.#step(played), status: 'stopped', seconds: 0, metrics });
    return give(undefined);
  }
  runs(): Promise<RunRow[]> {
    return give([...this.#runs.values()].map((played) => played.row).reverse());
  }
  run(...[run]: Parameters<Door['run']>): Promise<Run> {
    const played = this.#runs.get(run);
    if (!played) return fail(`${run}: there is no such run`);
    const ended = played.row.status === 'completed' || played.row.status === 'stopped';
    return give({ row: played.row, run: played.recording.run, result: ended ? played.recording.result : null, changes: 0, source: { task: 'intent', folder: FOLDER } });
  }
  /** What the health guard says was recorded in no language but that of the recording. */
  subscribe(run: string, from: number, _language: Language, onBatch: (batch: EventBatch) => void): Promise<() => void> {
    const played = this.#played(run);
    let at = from;
    const listener = (): void => {
      if (at >= played.events.length) return;
      const events = structuredClone(played.events.slice(at));
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

  predictions(run: string, filter: Parameters<Door['predictions']>[1], offset: number, limit: number): ReturnType<Door['predictions']> {
    const search = (filter.search ?? '').toLowerCase();
    const found = this.#played(run)
      .recording.predictions.map((p, index) => ({ ...p, index }))
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

  runQuery(...[, sql]: Parameters<Door['runQuery']>): ReturnType<Door['runQuery']> {
    this.calls.push(`runQuery ${sql}`);
    return fail('the recording holds no database');
  }
  figure(run: string, name: string, language: Language): Promise<Figure> {
    const played = this.#played(run);
    if (name === 'learning_rate') return give(learningRate(played.events, language));
    const whole = played.recording.figures[language][name];
    if (!whole) return fail(`${run} has no figure \`${name}\``);
    const step = this.#step(played);
    const stage = name === 'loss' && played.row.status !== 'completed' ? played.recording.stages.findLast((s) => s.step <= step) : undefined;
    return give(today(stage ? stage[language] : whole));
  }

  async predict(...[run, text, onSaid, signal]: Parameters<Door['predict']>): ReturnType<Door['predict']> {
    const recorded = (prediction: Omit<Prediction, 'index'>): Answer => ({
      output: prediction.output,
      label: prediction.answer,
      probability: prediction.probability,
      alternatives: [],
    });
    const tuned = this.#played(run).recording.predictions.find((p) => p.input === text);
    const base = COMPLETION.predictions.find((p) => p.input === text);
    if (!tuned || !base) return fail('the recording knows only the messages of the test set; take one of the examples');
    for (const said of [tuned, base]) {
      // a piece at a time, as a model writes it
      for (let end = 4; end < said.output.length; end += 4) {
        onSaid({ tuned: said === tuned, output: said.output.slice(0, end), answer: null });
        await new Promise((done) => setTimeout(done, this.#pace));
        if (signal.aborted) return fail('the models were stopped before they had answered');
      }
      onSaid({ tuned: said === tuned, output: said.output, answer: recorded(said) });
    }
    return give({ text, base: recorded(base), tuned: recorded(tuned) });
  }
  /** Counted off the recorded answers, by the normal approximation; p says only on which side of 5 % the difference lies. */
  async compare(...[runs, , onProgress, signal]: Parameters<Door['compare']>): ReturnType<Door['compare']> {
    await this.#worked(runs.length, onProgress, signal, 1);
    const tests = runs.flatMap((a, i) =>
      runs.slice(i + 1).map((b) => {
        const [one, other] = [this.#played(a).recording.predictions, this.#played(b).recording.predictions];
        const better = (x: typeof one, y: typeof one): number => x.filter((p, k) => p.score > (y[k]?.score ?? 0)).length;
        const [only_a, only_b] = [better(one, other), better(other, one)];
        const difference = (only_b - only_a) / one.length;
        const error = (1.96 * Math.sqrt(only_a + only_b)) / one.length;
        return { a, b, metric: 'accuracy', examples: one.length, difference, interval: [difference - error, difference + error] as [number, number], p: Math.abs(difference) > error ? 0.01 : 0.5, only_a, only_b };
      }),
    );
    return give({ runs, tests, figure: null });
  }
  async importPredictions(...[, , onProgress, signal]: Parameters<Door['importPredictions']>): Promise<RunRow> {
    await this.#worked(COMPLETION.predictions.length, onProgress, signal);
    return { ...this.#add(COMPLETION, 'runs/other-system', 'completed').row };
  }

  /** The recorded page without the sections that are left out, whose headings carry their names. */
  async reportPage(...[, language, without, onProgress, signal]: Parameters<Door['reportPage']>): ReturnType<Door['reportPage']> {
    await this.#worked(20, onProgress, signal, 1);
    const page = new DOMParser().parseFromString((pages as Record<Language, string>)[language], 'text/html');
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
    return this.#add(HEAD, 'runs/head-unpacked', 'completed').row.path;
  }
}
