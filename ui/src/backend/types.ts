/**
 * The values that pass through the door (see door.ts), named and spelled as the Rust side spells them
 * (snake_case, `type`-tagged events). The record types follow `crates/report/src/record.rs`,
 * `crates/train/src/event.rs`, `crates/tasks/src/score.rs` and `crates/gemma/src/device.rs`.
 * A number that JSON cannot write (NaN) arrives as `null`.
 */

export type Language = 'en' | 'it';
export type Theme = 'system' | 'light' | 'dark';
export type Split = 'train' | 'validation' | 'test';
export type Severity = 'error' | 'warning';
export type RunStatus = 'running' | 'paused' | 'completed' | 'stopped' | 'failed' | 'interrupted';

/** What the backend can do. The window shows nothing that is not listed here. */
export interface Capabilities {
  version: string;
  /** Methods beside `auto`, for instance `head`, `completion`. */
  methods: string[];
  /** Figures that `figure` draws for a run: `loss`, `confusion`, `reliability`, `comparison`, … */
  figures: string[];
  /** Formats of `exportReport`: `html`, `pdf`, `md`, `csv`, `json`, `figures`. */
  report_formats: string[];
  /** Formats of `exportModel`: `adapter`, `safetensors`, `gguf`. */
  model_formats: string[];
  /** Extensions that `openData` reads, without the dot. */
  data_formats: string[];
  /** `getModel` fetches over the network, `importModel` and `removeModel` work on the library. */
  get_model: boolean;
  import_model: boolean;
  remove_model: boolean;
  /** `forecast` measures; without it the line under the cards says only what was chosen. */
  forecast: boolean;
  pause: boolean;
  stop: boolean;
  /** `resumeRun` can continue a run that was interrupted by a crash or a restart. */
  resume: boolean;
  /** `editRows`, `undoEdit`, `saveData`. */
  edit: boolean;
  /** `microscope`. */
  microscope: boolean;
  /** `map`: examples in two dimensions. */
  map: boolean;
  predict: boolean;
  /** `compare` tests differences; `importPredictions` gives another system a row. */
  compare: boolean;
  import_predictions: boolean;
  delete_run: boolean;
  /** `diagnostics` gives a text to copy. */
  diagnostics: boolean;
}

/** A task of the catalogue. `ready` is false for tasks that this version cannot train. */
export interface Task {
  name: 'intent' | 'entities' | 'sql' | 'hashtags' | 'custom';
  ready: boolean;
  /** Columns that a data set of this task needs, for instance `text`, `label`. */
  roles: string[];
  /** Settings that can be changed, with their default, from the task's recipe. */
  settings: Setting[];
}

export interface Setting {
  /** Full name, for instance `train.epochs`. */
  key: string;
  kind: 'integer' | 'float' | 'boolean' | 'string' | 'list';
  /** As `--set` takes it. */
  value: string;
}

export interface Device {
  id: string;
  name: string;
  kind: 'cpu' | 'gpu' | 'software';
  api: string;
  driver: string;
  max_binding_bytes: number;
  f16: boolean;
  parity: 'pass' | 'unchecked' | 'fail';
}

export interface Model {
  name: string;
  title: string;
  /** `null`: not on this machine. */
  path: string | null;
  bytes: number;
  license: string;
  source: string;
  /** From the catalogue; `null` for a model that was opened from a file. */
  license_url: string | null;
  parameters: number | null;
  /** Bytes to fetch where known. */
  download_bytes: number | null;
  /** The only source asks for an account that accepted the licence. */
  gated: boolean;
}

/** Progress of a download: bytes done of all. */
export interface Progress {
  done: number;
  total: number | null;
  /** File or part at hand. */
  what: string;
}

/** A data set that can be opened with one click: shipped with Lapidary, or opened before. */
export interface DataOffer {
  task: string;
  name: string;
  language: string;
  folder: string;
  shipped: boolean;
  /** Training examples, from the card; `null` if not known without reading. */
  examples: number | null;
}

/** Which files make a data set; the same as `lab`'s `Source`. */
export interface Source {
  task: string;
  folder?: string | null;
  train?: string | null;
  validation?: string | null;
  test?: string | null;
  /** Role to column, for instance `{text: "question", label: "intent"}`. */
  columns?: Record<string, string>;
}

export interface LabelCount {
  label: string;
  train: number;
  validation: number;
  test: number;
}

export interface Finding {
  /** `empty_text`, `empty_label`, `control_characters`, `single_label`, `few_examples`, `unknown_label`,
      `contradiction`, `leakage`, `duplicate`, … */
  kind: string;
  severity: Severity;
  /** Rows concerned; `rows` with `filter.finding = index` gives them. */
  count: number;
  /** A sentence in English; the window has its own words for the kinds it knows. */
  message: string;
}

/** Lengths of the training texts in tokens of the chosen model. */
export interface Lengths {
  /** Upper edge (tokens, inclusive) and examples per bin. */
  bins: { to: number; count: number }[];
  longest: number;
  /** What the recipe allows. */
  limit: number;
  over_limit: number;
}

export interface DataSummary {
  /** Handle for `rows` and the other calls; lives as long as the backend. */
  id: string;
  source: Source;
  task: string;
  name: string;
  language: string;
  license: string;
  /** Examples by split; absent splits are missing. */
  splits: Partial<Record<Split, number>>;
  labels: LabelCount[];
  findings: Finding[];
  /** Column names of the first file, and which role each was given. */
  columns: { names: string[]; mapping: Record<string, string> };
  /** `null`: not measured (no tokenizer on disk). */
  lengths: Lengths | null;
  /** Edits not yet written to disk. */
  unsaved: number;
}

/** What a row should be answered with, by task. */
export type Target =
  | { kind: 'label'; label: string }
  | { kind: 'entities'; spans: Span[] }
  | { kind: 'sql'; sql: string }
  | { kind: 'hashtags'; tags: string[] }
  | { kind: 'completion'; text: string };

/** Offsets in Unicode characters, end exclusive. */
export interface Span {
  start: number;
  end: number;
  type: string;
}

export interface Row {
  /** Stable in this data set, whatever the filter and the order. */
  id: number;
  split: Split;
  /** `file:line`. */
  origin: string;
  text: string;
  target: Target;
  /** Kinds of findings that concern it. */
  findings: string[];
}

export interface RowFilter {
  split?: Split | null;
  label?: string | null;
  /** Index into `DataSummary.findings`. */
  finding?: number | null;
}

export interface RowQuery {
  data: string;
  offset: number;
  limit: number;
  filter: RowFilter;
  /** Case-insensitive part of text or target. */
  search: string;
  sort: { by: 'row' | 'text' | 'target' | 'split'; descending: boolean };
}

export interface RowPage {
  /** Rows that the filter and the search leave. */
  total: number;
  rows: Row[];
}

export type Edit =
  | { kind: 'relabel'; rows: number[]; target: Target }
  | { kind: 'delete'; rows: number[] }
  | { kind: 'move'; rows: number[]; split: Split };

/** What the model sees of a row. */
export interface Microscope {
  tokens: { text: string; id: number; source: 'template' | 'example' | 'answer' | 'special'; loss: boolean; cut: boolean }[];
  limit: number;
}

export interface RunRequest {
  data: Source;
  model: string;
  /** `auto`, `head`, `completion`, … */
  method: string;
  /** `auto` or an id from `devices`. */
  device: string;
  seed: number;
  /** `key=value`, only what differs from the recipe. */
  set: string[];
}

export interface Forecast {
  seconds: number;
  peak_memory_bytes: number;
}

export interface RunRow {
  /** Run folder: the run's name everywhere at this door. */
  path: string;
  /** Name for people: the folder's last part. */
  name: string;
  task: string;
  method: string;
  status: RunStatus;
  /** Main metric, when there is one. */
  accuracy: number | null;
  /** RFC 3339, UTC. */
  started: string;
  model: string;
  data: string;
}

export type TrainEvent =
  | { type: 'started'; task: string; method: string; device: string; steps: number; trainable: number; examples: number }
  | { type: 'forecast'; seconds: number; peak_memory_bytes: number }
  | {
      type: 'step';
      step: number;
      epoch: number;
      loss: number | null;
      learning_rate: number;
      grad_norm: number | null;
      tokens: number;
      targets: number;
      tokens_per_second: number;
      memory_bytes: number;
    }
  | { type: 'evaluation'; step: number; loss: number | null; metrics: Record<string, number>; best: boolean }
  | { type: 'checkpoint'; step: number; path: string }
  | { type: 'warning'; message: string }
  | { type: 'health'; step: number; ok: boolean; message: string }
  | { type: 'paused'; step: number }
  | { type: 'resumed'; step: number }
  | { type: 'completed'; step: number; status: string; seconds: number; metrics: Record<string, number> }
  | { type: 'failed'; step: number; message: string };

/** Events in order, without gaps: `events[0]` is the event number `from` of the run. */
export interface EventBatch {
  run: string;
  from: number;
  events: TrainEvent[];
}

export interface FileRecord {
  path: string;
  sha256: string;
  count: number;
}

export interface ModelRecord {
  name: string;
  files: FileRecord[];
  parameters: number;
  storage: string;
  hidden: number;
  layers: number;
}

export interface DataRecord {
  name: string;
  license: string;
  language: string;
  labels: string[];
  files: Record<string, FileRecord>;
}

export interface DeviceRecord {
  id: string;
  name: string;
  kind: string;
  api: string;
  driver: string;
}

/** `run.toml` as JSON. */
export interface RunFile {
  task: string;
  method: string;
  seed: number;
  started: string;
  version: string;
  command: string;
  model: ModelRecord;
  data: DataRecord;
  device: DeviceRecord;
  settings: Settable;
}

export type Settable = { [key: string]: string | number | boolean | (string | number)[] | Settable };

export interface ClassScore {
  precision: number;
  recall: number;
  f1: number;
  support: number;
}

export interface Classification {
  accuracy: number;
  accuracy_ci: [number, number];
  macro_f1: number;
  macro_f1_ci: [number, number];
  per_class: Record<string, ClassScore>;
  /** `counts[expected][answered]`; the last column is "no label". */
  confusion: { labels: string[]; counts: number[][] };
  expected_calibration_error: number;
}

export interface TrainRecord {
  seconds: number;
  steps: number;
  tokens: number;
  tokens_per_second: number;
  supervised_tokens: number;
  peak_memory_bytes: number;
  final_loss: number | null;
  best_step: number;
}

/** `result.json`. */
export interface RunResult {
  task: string;
  method: string;
  status: string;
  metrics: Classification | null;
  evaluated_on: string;
  metrics_free?: Classification | null;
  baselines: Record<string, Classification>;
  train: TrainRecord;
  model: ModelRecord;
  data: DataRecord;
  device: DeviceRecord;
  version: string;
  error?: string | null;
}

export interface Run {
  row: RunRow;
  run: RunFile;
  /** `null` while it runs. */
  result: RunResult | null;
}

export interface Prediction {
  /** Line of `predictions.jsonl`, from 0: its name at this door. */
  index: number;
  input: string;
  expected: string;
  output: string;
  /** `null`: the output is no label. */
  answer: string | null;
  score: number;
  probability: number;
}

export interface PredictionFilter {
  /** Only right (`true`) or only wrong (`false`) ones. */
  right?: boolean | null;
  expected?: string | null;
  /** An answer; `""` stands for "no label". */
  answer?: string | null;
  search?: string;
  sort?: 'index' | 'probability';
  descending?: boolean;
}

export interface PredictionPage {
  total: number;
  rows: Prediction[];
}

/**
 * A drawing of `report::figure`. `plot` says where its data area lies, in units of the SVG's viewBox, so
 * that the window can lay values over it without computing any geometry of its own. `null`: no reading layer.
 */
export interface Figure {
  svg: string;
  alt: string;
  data: FigureData;
  plot: Plot | null;
}

export type Plot =
  | {
      kind: 'axes';
      left: number;
      right: number;
      top: number;
      bottom: number;
      /** Value at `left` and `right` (linear). */
      x: [number, number];
    }
  | {
      kind: 'cells';
      left: number;
      top: number;
      /** Side of a cell. */
      cell: number;
      rows: number;
      columns: number;
      /** Space before the column of outputs that are no label (the last one, where `columns > rows`). */
      gap: number;
    };

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
  | { kind: 'confusion'; labels: string[]; counts: number[][]; right: number; examples: number }
  /** Any line over steps: learning rate, gradient norm, speed, memory. */
  | { kind: 'series'; name: string; unit: string; points: [number, number | null][] }
  | { kind: 'reliability' | 'comparison' | 'other'; [key: string]: unknown };

export interface Answer {
  output: string;
  label: string | null;
  probability: number;
  /** The likeliest labels, likeliest first, this answer included; empty where not known. */
  alternatives: { label: string; probability: number }[];
}

export interface Answered {
  text: string;
  base: Answer;
  tuned: Answer;
}

/** Runs held against each other. */
export interface Comparison {
  runs: string[];
  /** For each pair: does the difference mean anything? */
  tests: { a: string; b: string; metric: string; difference: number; interval: [number, number]; p: number; examples: number }[];
  /** Loss curves overlaid, where it can be drawn. */
  figure: Figure | null;
}

/** What the window remembers between starts; unknown keys are kept. */
export interface Settings {
  /** `null`: as the system. */
  language: Language | null;
  theme: Theme;
}

/** What a menu, a shortcut of the shell or a file association asks the window to do. */
export type Command =
  | { kind: 'screen'; screen: 'start' | 'data' | 'train' | 'results' | 'try' | 'compare' | 'report' | 'models' }
  | { kind: 'open_data' }
  | { kind: 'open_run'; path: string }
  | { kind: 'language'; language: Language }
  | { kind: 'theme'; theme: Theme };

/** How every call fails: what happened, why, and what to do, in one line. */
export interface Failure {
  message: string;
}
