/**
 * The one door between the window and the engine. Two things stand behind it: Tauri (`tauri.ts`) and a
 * test double that plays a recorded run (`double.ts`). Screens know only this file.
 *
 * The contract:
 * - Every method rejects with a `Failure` and nothing else.
 * - Nothing blocks: long work reports progress or events, and can be cancelled. What was aborted rejects, unless it was
 *   done before it could end; then it gives what came of it.
 * - A run is named by its folder. `runs()` also lists the one that is running, so a window that was
 *   closed or reloaded finds it again; `subscribe` from index 0 gives its whole story.
 * - `capabilities()` says what is there. A method whose capability is off may reject, and is never called.
 *
 * For the Tauri side: commands have the names of the methods in snake_case, and take their arguments in
 * one object under the parameter names below. Long work that tells of itself on a channel is cancelled by `cancel` with
 * that channel's number. Events come on one channel per subscription
 * (`tauri::ipc::Channel<EventBatch>`), coalesced to at most ten batches a second.
 * Report pages carry their own `<style>`, and the preview frame inherits the window's content security
 * policy: the window adds the hash of that style sheet to its `style-src`, which allows no other inline style.
 */
import type {
  About,
  Answered,
  Capabilities,
  ColumnsView,
  Command,
  Comparison,
  DataMap,
  DataOffer,
  DataSummary,
  Device,
  Edit,
  EventBatch,
  Figure,
  Forecast,
  Language,
  Lengths,
  Microscope,
  Model,
  PredictionFilter,
  PredictionPage,
  Progress,
  QueryResult,
  ReportPage,
  RowPage,
  RowQuery,
  Run,
  RunRequest,
  RunRow,
  Said,
  Settings,
  Source,
  Task,
} from './types';

export type Unsubscribe = () => void;

export interface Door {
  capabilities(): Promise<Capabilities>;
  settings(): Promise<Settings>;
  saveSettings(settings: Settings): Promise<void>;
  /** Menu, shortcuts of the shell, file associations. */
  onCommand(handler: (command: Command) => void): Unsubscribe;
  /** Files or folders dropped on the window, as absolute paths. */
  onDrop(handler: (paths: string[]) => void): Unsubscribe;
  /** Whether files are being held over the window. */
  onDrag(handler: (over: boolean) => void): Unsubscribe;
  /** The handlers are in place: from now on they are told what happens, and first what happened before. */
  listening(): Promise<void>;
  /** A text for a bug report: versions, devices, the end of the log. */
  diagnostics(): Promise<string>;

  /** The platform's dialog; `null` if the person cancelled. */
  pickFile(what: 'data' | 'model' | 'predictions' | 'database' | 'run' | 'schema', title: string): Promise<string | null>;
  pickFolder(title: string): Promise<string | null>;

  devices(): Promise<Device[]>;
  /** Tries a device that has not been held against the processor yet, of which `onCheck` is told by name; gives all devices as they are then. Aborting leaves it untried. */
  readyDevice(device: string, onCheck: (name: string) => void, signal: AbortSignal): Promise<Device[]>;
  /** Adds the device that another machine serves at an address, which is asked what it is; gives all devices, those of other machines as they were when they were added. Aborting adds nothing. */
  addDevice(address: string, token: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Device[]>;
  /** Forgets a device of another machine; gives those that are left, as above. */
  removeDevice(address: string): Promise<Device[]>;
  tasks(): Promise<Task[]>;

  models(): Promise<Model[]>;
  /** Fetches a model of the catalogue, with the token of an account where its source asks for one. Aborting keeps what is there; calling again goes on from it. */
  getModel(name: string, token: string | null, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<void>;
  /** Takes a GGUF file or a Hugging Face folder into the library; a file of its weights stands for the folder. Aborting takes in nothing. */
  importModel(path: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Model>;
  /** Whether a path is a model rather than data. */
  isModel(path: string): Promise<boolean>;
  /** Removes a model, or what has arrived of it. */
  removeModel(name: string): Promise<void>;

  dataOffers(): Promise<DataOffer[]>;
  /** Files that were given together as one data set: each is the part that its name speaks of, or the database of questions. A folder is for the task of its card, or else for `task`. */
  sourceOf(task: string, files: string[]): Promise<Source>;
  /** Reads and checks. A task of `""` is that of the card, or else intents. Aborting opens nothing. */
  openData(source: Source, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<DataSummary>;
  /** An open data set as it is now, with what was found in it told in a language. */
  dataSummary(data: string, language: Language): Promise<DataSummary>;
  /** Columns of files that may not be readable yet, for a person to say which is which. */
  dataColumns(source: Source): Promise<ColumnsView>;
  /** Sorts, searches and filters; aborting leaves what was sorted, searched and filtered before at hand. */
  rows(query: RowQuery, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<RowPage>;
  /** Changes are kept in the library, and used in training; the files stay as they are. They wait for what else is done with the set; aborting that waiting changes nothing. */
  editRow(data: string, edit: Edit, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<DataSummary>;
  undoEdit(data: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<DataSummary>;
  redoEdit(data: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<DataSummary>;
  /** Checks the rows as they are now: after a change, what was found before is still told until then, and also if it is aborted. */
  checkData(data: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<DataSummary>;
  /** What texts and answers are made of, which takes some seconds in a large set. */
  describeData(data: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<About>;
  /** Writes the data set with its changes as a new folder inside `folder`; gives its path. Aborting leaves nothing. */
  exportData(data: string, folder: string, format: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string>;
  /** Divides a set of one part into three, or takes the part that it lacks out of training, as a new folder in the library; gives its path. The shares lie between 0 and 1; that of a part that is there counts for nothing. Aborting leaves nothing. */
  divideData(data: string, validation: number, test: number, seed: number, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string>;
  /** What a model would be trained on in a row, by a method (or `auto`) and settings as in a run. */
  microscope(data: string, row: number, model: string, method: string, set: string[], onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Microscope>;
  /** How long the training rows are in tokens, with a method and settings as for the microscope. Aborting measures nothing. */
  lengths(data: string, model: string, method: string, set: string[], onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Lengths>;
  /** Draws the rows as points, near ones alike to a model; `null` if it was stopped. What was read is kept. Once it is, `what` is `points`, and the steps are told in which these find their places. */
  dataMap(data: string, model: string, language: Language, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<DataMap | null>;
  /** The rows that are nearest to one to a model, by their numbers; `null` if it was stopped. What was read for the map serves here, too. */
  nearRows(data: string, row: number, model: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<number[] | null>;
  /** Runs the query of a row; it can only read. */
  queryRow(data: string, row: number, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<QueryResult>;

  /** Aborting ends the measurement, and so does the next one. */
  forecast(request: RunRequest, signal: AbortSignal): Promise<Forecast>;
  /** Checks, makes the run folder in the library and starts. Gives the run's path. Aborting before leaves nothing. */
  startRun(request: RunRequest, signal: AbortSignal): Promise<string>;
  pauseRun(run: string): Promise<void>;
  /** Goes on with a paused run, or with one that was interrupted: on a device, or on the one that it had. Aborting before leaves it as it was. */
  resumeRun(run: string, device: string | undefined, signal: AbortSignal): Promise<void>;
  /** Ends it soon and keeps the best weights. */
  stopRun(run: string): Promise<void>;
  /** Latest first. */
  runs(): Promise<RunRow[]>;
  /** A run, with its failure told in a language. */
  run(run: string, language: Language): Promise<Run>;
  /** Gives all events from number `from` on, now and as they come, in order, none twice, told in a language; and why, where no more will come. */
  subscribe(run: string, from: number, language: Language, onBatch: (batch: EventBatch) => void): Promise<Unsubscribe>;
  deleteRun(run: string): Promise<void>;

  /** Answers to the test set, with the reasons of wrong ones in a language. */
  predictions(
    run: string,
    filter: PredictionFilter,
    offset: number,
    limit: number,
    language: Language,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<PredictionPage>;
  /** Runs a query on the database of a run's data; it can only read. */
  runQuery(run: string, sql: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<QueryResult>;
  /** Draws a figure of a run, of a running one too. Axes and text are `currentColor`. */
  figure(run: string, name: string, language: Language, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Figure>;
  /** Asks both models; `onSaid` hears what they say while they say it. Aborting stops them. */
  predict(run: string, text: string, onSaid: (said: Said) => void, signal: AbortSignal): Promise<Answered>;
  compare(runs: string[], language: Language, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Comparison>;
  /** A file of another system's answers, as a row of its own beside the runs. */
  importPredictions(path: string, like: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<RunRow>;

  /** The report as one HTML page without scripts, and the sections that can be left out of it. */
  reportPage(run: string, language: Language, without: string[], onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<ReportPage>;
  /** Writes a new folder inside `folder`, without some sections; gives the files written. Aborting leaves nothing. */
  exportReport(
    run: string,
    formats: string[],
    folder: string,
    language: Language,
    without: string[],
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<string[]>;
  /** Writes the trained model for other programs as a new folder inside `folder`; gives its path. Aborting leaves nothing. */
  exportModel(run: string, format: string, folder: string, language: Language, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string>;
  /** Packs a run into one file inside `folder`; gives its path. Aborting leaves nothing. */
  packRun(run: string, folder: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string>;
  /** Unpacks such a file into the library; gives the run's path. Aborting leaves nothing. */
  unpackRun(path: string, onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<string>;
}
