/** What all screens share: the door, what is on this machine, what was chosen, and the run that is open. */
import { untrack } from 'svelte';
import { SvelteMap } from 'svelte/reactivity';
import type { Door } from '../backend/door';
import { failure } from '../backend/failure';
import type {
  Capabilities,
  ColumnsView,
  Command,
  DataOffer,
  DataSummary,
  Device,
  Forecast,
  Language,
  Model,
  Row,
  RowQuery,
  RunRequest,
  RunRow,
  Settings,
  Source,
  Split,
  Task,
  Theme,
} from '../backend/types';
import { words, type Words } from '../words';
import { isDatabase } from './beside';
import { formats, type Format } from './format';
import { Kept } from './kept.svelte';
import { sameFiles } from './sources';
import { Story } from './story.svelte';
import { Work } from './work.svelte';

export const SCREENS = ['start', 'data', 'train', 'results', 'try', 'compare', 'report', 'models'] as const;
export type Screen = (typeof SCREENS)[number];

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
  /** It is about what is on the screen, and goes with it. */
  passing: boolean;
  action: { text: string; run: () => void } | null;
  /** Its action takes something back that waits to be done. */
  undoes: boolean;
  /** Long work that it tells of, and that can be stopped. */
  work: Work | null;
}

/** A theme by its name; anything else is as the system. */
function theme(name: string): Theme {
  return name === 'light' || name === 'dark' ? name : 'system';
}

/** Is a model a file of the person's own, which the library only knows of? */
export function isFile(model: Model): boolean {
  return model.source === 'imported';
}

/** A data set that could not be read: its columns are on show, for a person to say which is which. */
export class Importing {
  source = $state.raw<Source>({ task: '' });
  fault = $state('');

  constructor(
    source: Source,
    readonly columns: ColumnsView,
    fault: string,
  ) {
    this.source = source;
    this.fault = fault;
  }
}

/** A row that is looked for: its text, the part that it stands in, where that is known, and what is expected there, as one line. */
export interface WantedRow {
  text: string;
  split: Split | null;
  expected: string;
}

/** How long an undo is offered before a deletion is carried out. */
const UNDO_MS = 8000;

export class App {
  capabilities = $state.raw<Capabilities | null>(null);
  /** Why the window could not start. */
  fault = $state<string | null>(null);
  screen = $state<Screen>('start');
  /** How often somebody came to a screen by the keyboard or the menu. */
  arrivals = $state(0);
  language = $state<Language>('en');
  theme = $state<Theme>('system');
  dark = $state(false);
  /** Files are being held over the window. */
  dragging = $state(false);

  tasks = $state.raw<Task[]>([]);
  devices = $state.raw<Device[]>([]);
  /** One that is being removed is not on this machine any more; if it is a person's own file, it is not known either. */
  readonly models = $derived.by((): Model[] =>
    this.#models.flatMap((model) => {
      if (!this.#hidden.has(`model:${model.name}`)) return [model];
      return isFile(model) ? [] : [{ ...model, path: null, bytes: 0, partial_bytes: 0 }];
    }),
  );
  offers = $state.raw<DataOffer[]>([]);
  runs = $state.raw<RunRow[]>([]);

  task = $state('intent');
  data = $state.raw<DataSummary | null>(null);
  /** The data set that is being read. */
  opening = $state.raw<Work | null>(null);
  dataFault = $state<string | null>(null);
  importing = $state.raw<Importing | null>(null);
  model = $state<string | null>(null);
  method = $state('auto');
  device = $state('auto');
  seed = $state(0);
  /** Settings that differ from the recipe. */
  readonly set = new SvelteMap<string, string>();
  forecast = $state.raw<Forecast | null>(null);
  forecastBusy = $state(false);
  /** A person stopped the measurement, and may ask for it again. */
  forecastStopped = $state(false);
  /** Why what was chosen could not be measured. */
  forecastFault = $state<string | null>(null);
  /** A run is being started: the data is read and the model loaded before anything happens in it. */
  starting = $state(false);
  /** What is being started, or taken up again, was told to end. */
  ending = $state(false);
  /** Why the run that was chosen was refused. */
  startFault = $state<string | null>(null);
  /** Name of the device that is being tried before its first use. */
  checking = $state<string | null>(null);

  /** The run that Train, Results, Try and Report show. */
  selected = $state<string | null>(null);
  /** The run that is being taken up again: its model and data are read first. */
  resuming = $state<string | null>(null);
  readonly downloads = new SvelteMap<string, Work>();
  readonly modelFaults = new SvelteMap<string, string>();
  /** Why a model file could not be taken in, and why a packed run could not be opened: said where each was asked for. */
  modelFault = $state<string | null>(null);
  runFault = $state<string | null>(null);
  /** Token of an account, for models whose source asks for one; kept no longer than the window is open. */
  token = $state('');
  toasts = $state.raw<Toast[]>([]);
  /** What screens ask of each other: a row to look for in Data, by what it says and is answered with. */
  wantedRow = $state.raw<WantedRow | null>(null);

  /** What each screen keeps while another one is shown. */
  readonly kept = new Kept();

  readonly #stories: Record<string, Story> = {};
  /** Seconds that scoring was measured to take, by the run. */
  readonly #scoring: Record<string, number> = {};
  /** What is being deleted and can still be had back: how, by what it is. */
  readonly #hidden = new SvelteMap<string, () => void>();
  #models = $state.raw<Model[]>([]);
  #settings: Settings = { language: null, theme: 'system' };
  #media: MediaQueryList | null = null;
  /** Devices that are ready, or on the way to it. */
  readonly #ready: Record<string, Promise<boolean>> = {};
  #trial: AbortController | null = null;
  #measuring: AbortController | null = null;
  /** Ends the start, or the taking up again, that is under way. */
  #beginning: AbortController | null = null;
  #toasts = 0;

  constructor(readonly door: Door) {}

  get words(): Words {
    return words[this.language];
  }

  get format(): Format {
    return formats[this.language];
  }

  get can(): Capabilities {
    if (!this.capabilities) throw new Error('asked before the backend answered');
    return this.capabilities;
  }

  /** Runs that are not being deleted. */
  get shownRuns(): RunRow[] {
    return this.runs.filter((run) => !this.#hidden.has(run.path));
  }

  get active(): RunRow | null {
    return this.runs.find((run) => run.status === 'running' || run.status === 'paused') ?? null;
  }

  /** One run at a time is started, taken up again or trained. */
  get busy(): boolean {
    return this.active !== null || this.starting || this.resuming !== null;
  }

  get selectedRun(): RunRow | null {
    return this.shownRuns.find((run) => run.path === this.selected) ?? null;
  }

  get chosenModel(): Model | null {
    return this.models.find((model) => model.name === this.model) ?? null;
  }

  get request(): RunRequest | null {
    if (!this.data || !this.chosenModel?.path) return null;
    const set = this.changedSettings;
    return { data: this.data.source, model: this.chosenModel.name, method: this.method, device: this.device, seed: this.seed, set };
  }

  /** Settings that differ from the recipe, as a run takes them. */
  get changedSettings(): string[] {
    return [...this.set].map(([key, value]) => `${key}=${value}`);
  }

  async open(): Promise<void> {
    try {
      const [capabilities, settings] = await Promise.all([this.door.capabilities(), this.door.settings()]);
      this.capabilities = capabilities;
      this.#settings = settings;
      this.#applySettings();
      this.door.onCommand((command) => this.#obey(command));
      this.door.onDrop((paths) => void this.#dropped(paths));
      this.door.onDrag((over) => (this.dragging = over));
      await Promise.all([this.#load(), this.refreshModels(), this.refreshRuns()]);
      const active = this.active;
      if (active) {
        this.show(active.path, 'train');
      } else {
        this.selected = this.runs.find((run) => run.status === 'completed')?.path ?? this.runs[0]?.path ?? null;
      }
      await this.door.listening();
    } catch (reason) {
      this.fault = failure(reason).message;
    }
  }

  async #load(): Promise<void> {
    // a machine that does not answer must not keep the window waiting
    void this.#renewed(this.#listDevices());
    [this.tasks, this.offers] = await Promise.all([this.door.tasks(), this.door.dataOffers()]);
    this.task = this.tasks.find((task) => task.ready)?.name ?? this.task;
    await this.#openOffer();
  }

  async #listDevices(): Promise<void> {
    this.devices = await this.door.devices();
  }

  /** The newcomer begins with the data set that ships. */
  async #openOffer(): Promise<void> {
    const offers = this.offers.filter((offer) => offer.source.task === this.task);
    const offer = offers.find((offer) => offer.language === this.language) ?? offers[0];
    if (offer) await this.openData(offer.source);
  }

  /** Another task has other data, other methods and other settings. */
  async chooseTask(task: string): Promise<void> {
    this.#turnTo(task);
    if (this.importing) {
      this.importing.source = { ...this.importing.source, task, columns: {} };
    } else if (this.data?.task !== task) {
      this.leaveOpening();
      this.data = null;
      this.dataFault = null;
      await this.#openOffer();
    }
  }

  #turnTo(task: string): void {
    if (task === this.task) return;
    this.task = task;
    this.method = 'auto';
    this.set.clear();
  }

  // settings -------------------------------------------------------------------------------------

  #applySettings(): void {
    this.language = this.#settings.language ?? (navigator.language.startsWith('it') ? 'it' : 'en');
    this.theme = theme(this.#settings.theme);
    this.#media ??= typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;
    this.#media?.addEventListener('change', () => this.#paint());
    this.#paint();
  }

  #paint(): void {
    this.dark = this.theme === 'dark' || (this.theme === 'system' && (this.#media?.matches ?? false));
    document.documentElement.dataset['theme'] = this.dark ? 'dark' : 'light';
    document.documentElement.lang = this.language;
  }

  setLanguage(language: Language): void {
    this.language = language;
    void this.#save({ language }).then(() => this.#retell());
  }

  /** What the engine has told in the language before it tells again in this one. */
  async #retell(): Promise<void> {
    const language = this.language;
    void this.#renewed(this.#listDevices());
    // why a choice could not be measured is found by measuring it
    if (this.forecastFault !== null) void this.measure();
    await this.#renewed(
      (async () => {
        for (let data = this.data; data !== null; data = this.data) {
          const told = await this.door.dataSummary(data.id, language);
          if (this.language !== language) return;
          // one that has changed meanwhile is asked for again
          if (this.data !== data) continue;
          this.data = told;
          return;
        }
      })(),
    );
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    void this.#save({ theme });
  }

  #save(change: Partial<Settings>): Promise<void> {
    this.#settings = { ...this.#settings, ...change };
    this.#paint();
    return this.door.saveSettings(this.#settings).catch((reason: unknown) => void this.tell(failure(reason).message, { bad: true }));
  }

  // messages -------------------------------------------------------------------------------------

  tell(text: string, options: { bad?: boolean; action?: Toast['action']; stay?: number; undoes?: boolean; work?: Work } = {}): number {
    this.#toasts += 1;
    const passing = !options.bad && options.stay === undefined;
    const toast: Toast = { id: this.#toasts, text, bad: options.bad ?? false, passing, action: options.action ?? null, undoes: options.undoes ?? false, work: options.work ?? null };
    // there is room for a few; what can be undone or stopped, or went wrong, is no less there for others that come
    const gone = this.toasts.filter((other) => other.passing).slice(0, Math.max(0, this.toasts.length - 2));
    this.toasts = [...this.toasts.filter((other) => !gone.includes(other)), toast];
    const stay = options.stay ?? (toast.bad ? 12000 : 6000);
    if (stay !== Infinity) setTimeout(() => this.dismiss(toast.id), stay);
    return toast.id;
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  /** Takes back the last deletion that waits to be carried out; whether there was one. */
  takeBack(): boolean {
    const toast = this.toasts.findLast((toast) => toast.undoes);
    if (!toast) return false;
    toast.action?.run();
    this.dismiss(toast.id);
    return true;
  }

  /** Takes away what was said about a screen or a data set that is left: an undo must not reach into the next one. */
  leave(): void {
    this.toasts = this.toasts.filter((toast) => !toast.passing);
  }

  #obey(command: Command): void {
    switch (command.kind) {
      case 'screen':
        this.go(SCREENS.find((screen) => screen === command.screen) ?? this.screen, true);
        break;
      case 'open_data':
        void this.pickData('file', true);
        break;
      case 'open_run':
        void this.#renewed(this.refreshRuns()).then(() => this.show(command.path, 'results'));
        break;
      case 'language':
        this.setLanguage(command.language);
        break;
      case 'theme':
        this.setTheme(theme(command.theme));
        break;
    }
  }

  async #dropped(paths: string[]): Promise<void> {
    const data = paths.filter((path) => this.#isData(path));
    const tables = paths.filter((path) => isDatabase(path));
    // models, packed runs and folders are opened one by one, and what makes one set together
    for (const path of paths) if (!data.includes(path) && !tables.includes(path)) await this.openPath(path, true);
    const [first, second] = data;
    if (first === undefined) {
      if (tables.length > 0) await this.#openTables(tables);
    } else if (second === undefined && tables.length === 0) {
      await this.openPath(first, true);
    } else {
      this.screen = 'data';
      await this.#openFiles([...data, ...tables]);
    }
  }

  /** Tables belong to the questions that are open, or that are about to be. */
  async #openTables(files: string[]): Promise<void> {
    this.screen = 'data';
    const asking = this.importing ?? this.data;
    if (asking?.source.task !== 'sql') {
      this.dataFault = this.words.data.tablesAlone(files.map((file) => file.split(/[\\/]/).at(-1) ?? file).join(', '));
      return;
    }
    try {
      let { schema, database } = await this.door.sourceOf('sql', files);
      // where there is a script that makes the tables, another one fills them
      if (schema && !database && asking.source.schema && !/schema[^\\/]*$/i.test(schema)) [schema, database] = [undefined, schema];
      const source = { ...asking.source, ...(schema ? { schema } : {}), ...(database ? { database } : {}) };
      if (this.importing) this.importing.source = source;
      else await this.openData(source);
    } catch (reason) {
      this.dataFault = failure(reason).message;
    }
  }

  // data -----------------------------------------------------------------------------------------

  /** `show` goes to Data, which says how it went, once something was picked. */
  async pickData(what: 'file' | 'folder', show = false): Promise<void> {
    const title = this.words.data.pick;
    try {
      const path = what === 'file' ? await this.door.pickFile('data', title) : await this.door.pickFolder(title);
      if (path && show) this.go('data', true);
      if (path) await this.openPath(path);
    } catch (reason) {
      if (show) this.go('data', true);
      this.dataFault = failure(reason).message;
    }
  }

  /** A file becomes the training set, or else what it is; anything without one of the known endings is a folder. Data is `shown` where it was dropped. */
  async openPath(path: string, shown = false): Promise<void> {
    if (path.toLowerCase().endsWith('.lapidary')) return this.unpack(path);
    const data = this.#isData(path);
    // what the engine cannot look at it refuses as data, too, and says why
    if (!data && (await this.door.isModel(path).catch(() => false))) {
      this.screen = 'models';
      return this.takeModel(path);
    }
    if (shown) this.screen = 'data';
    if (data) await this.openData({ task: this.task, train: path });
    else await this.#openFiles([path]);
  }

  #isData(path: string): boolean {
    return this.can.data_formats.some((format) => path.toLowerCase().endsWith(`.${format}`));
  }

  /** Several files at once are the parts of one set, and a folder is what its card says. */
  async #openFiles(paths: string[]): Promise<void> {
    try {
      await this.openData(await this.door.sourceOf(this.task, paths));
    } catch (reason) {
      this.dataFault = failure(reason).message;
    }
  }

  async openData(source: Source): Promise<void> {
    // one is read at a time
    this.leaveOpening();
    const work = new Work();
    const { signal } = work.abort;
    this.opening = work;
    this.dataFault = null;
    try {
      const data = await this.door.openData(source, work.tell, signal);
      // another one was asked for meanwhile, or nobody waits for it any more
      if (signal.aborted) return;
      this.data = data;
      this.leave();
      this.#turnTo(data.task);
      this.importing = null;
      // it is offered from now on
      if (!this.offers.some((offer) => sameFiles(offer.source, data.source))) await this.#renewed(this.#refreshOffers());
    } catch (reason) {
      if (signal.aborted) return;
      this.dataFault = failure(reason).message;
      await this.#offerColumns(source, this.dataFault);
    } finally {
      if (this.opening === work) this.opening = null;
    }
  }

  get dataBusy(): boolean {
    return this.opening !== null;
  }

  /** Stops the data set that is being read: what was open stays. */
  leaveOpening(): void {
    this.opening?.abort.abort();
    this.opening = null;
  }

  /** What could not be read may only need somebody to say which column is which. */
  async #offerColumns(source: Source, fault: string): Promise<void> {
    try {
      const columns = await this.door.dataColumns(source);
      const chosen = { ...source, task: source.task || this.task, columns: { ...columns.mapping, ...source.columns } };
      this.importing = columns.names.length > 0 ? new Importing(chosen, columns, fault) : null;
    } catch {
      // not even its columns can be read: the fault says it all
      this.importing = null;
    }
  }

  leaveImport(): void {
    this.importing = null;
    this.dataFault = null;
  }

  // a run as one file ------------------------------------------------------------------------------

  async pickRun(): Promise<void> {
    try {
      const path = await this.door.pickFile('run', this.words.runs.pick);
      if (path) await this.unpack(path);
    } catch (reason) {
      this.runFault = failure(reason).message;
    }
  }

  /** Takes a packed run into the library and shows it. */
  async unpack(path: string): Promise<void> {
    await this.#meanwhile(path, async (work) => {
      const run = await this.door.unpackRun(path, work.tell, work.abort.signal);
      await this.#renewed(this.refreshRuns());
      this.show(run, 'results');
    }, (fault) => {
      this.runFault = fault;
      // a file may be dropped on any screen; the runs are on the first one
      if (fault !== null && this.screen !== 'start') this.tell(fault, { bad: true });
    });
  }

  // models ---------------------------------------------------------------------------------------

  async #refreshOffers(): Promise<void> {
    this.offers = await this.door.dataOffers();
  }

  /** A row of a data set by its number; none once it is gone. */
  async row(data: string, id: number, work: Work): Promise<Row | null> {
    const one: RowQuery = { data, offset: 0, limit: 1, filter: { among: [id] }, search: '', sort: { by: 'row', descending: false } };
    const { rows } = await this.door.rows(one, work.tell, work.abort.signal);
    return rows[0] ?? null;
  }

  async refreshModels(): Promise<void> {
    this.#models = await this.door.models();
    if (!this.chosenModel?.path) this.model = (this.models.find((m) => m.path) ?? this.models.find((m) => !m.gated) ?? this.models[0])?.name ?? null;
  }

  async getModel(name: string): Promise<void> {
    if (this.downloads.has(name)) return;
    // what waits to be deleted is wanted again
    this.#hidden.get(`model:${name}`)?.();
    if (this.models.some((model) => model.name === name && model.path)) {
      this.model = name;
      return;
    }
    const download = new Work();
    this.downloads.set(name, download);
    this.modelFaults.delete(name);
    try {
      await this.door.getModel(name, this.token.trim() === '' ? null : this.token.trim(), download.tell, download.abort.signal);
      this.model = name;
    } catch (reason) {
      if (!download.abort.signal.aborted) this.modelFaults.set(name, failure(reason).message);
    } finally {
      this.downloads.delete(name);
    }
    await this.#renewed(this.refreshModels());
  }

  async pickModel(what: 'file' | 'folder'): Promise<void> {
    const { pick, pickFolder } = this.words.models;
    try {
      const path = what === 'file' ? await this.door.pickFile('model', pick) : await this.door.pickFolder(pickFolder);
      if (path) await this.takeModel(path);
    } catch (reason) {
      this.modelFault = failure(reason).message;
    }
  }

  /** Takes a model, a file or a folder, into the library. */
  async takeModel(path: string): Promise<void> {
    await this.#meanwhile(path, async (work) => {
      const model = await this.door.importModel(path, work.tell, work.abort.signal);
      await this.#renewed(this.refreshModels());
      this.model = model.name;
    }, (fault) => (this.modelFault = fault));
  }

  /** Says that a file is being opened as long as it is, how far that is, and why it could not be, unless it was stopped. */
  async #meanwhile(path: string, act: (work: Work) => Promise<void>, say: (fault: string | null) => void): Promise<void> {
    const work = new Work();
    say(null);
    const toast = this.tell(this.words.opening(path.split(/[\\/]/).at(-1) ?? path), { stay: Infinity, work });
    try {
      await act(work);
    } catch (reason) {
      // whoever stopped it knows
      if (!work.abort.signal.aborted) say(failure(reason).message);
    } finally {
      this.dismiss(toast);
    }
  }

  /**
   * Takes it, or what has arrived of it, out of sight at once, and off the disk (or, if it is a person's own file, off the list
   * alone) when the time for an undo is over.
   */
  removeModel(model: Model): void {
    const { forgotten, removed } = this.words.models;
    this.#later(`model:${model.name}`, (isFile(model) ? forgotten : removed)(model.title), async () => {
      await this.door.removeModel(model.name);
      await this.refreshModels();
    });
  }

  #later(key: string, text: string, act: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.dismiss(toast);
      act()
        .catch((reason: unknown) => this.tell(failure(reason).message, { bad: true }))
        .finally(() => this.#hidden.delete(key));
    }, UNDO_MS);
    const back = (): void => {
      clearTimeout(timer);
      this.#hidden.delete(key);
      this.dismiss(toast);
    };
    this.#hidden.set(key, back);
    const toast = this.tell(text, { stay: UNDO_MS, undoes: true, action: { text: this.words.undo, run: back } });
  }

  // runs -----------------------------------------------------------------------------------------

  async refreshRuns(): Promise<void> {
    this.runs = await this.door.runs();
  }

  /** A list that is read anew after something was done: what was done stands, whatever comes of that. */
  async #renewed(list: Promise<void>): Promise<void> {
    await list.catch((reason: unknown) => this.tell(failure(reason).message, { bad: true }));
  }

  /** Goes to a screen; Train shows the run at work. `arriving`, by the keyboard or the menu: the top of the screen takes the keyboard. */
  go(screen: Screen, arriving = false): void {
    if (screen === 'train' && this.active) this.selected = this.active.path;
    this.screen = screen;
    if (arriving) this.arrivals += 1;
  }

  show(run: string, screen: Screen): void {
    this.selected = run;
    this.screen = screen;
  }

  /** The story of a run in the language of the window, followed from its first event. */
  story(run: string): Story {
    const language = this.language;
    return untrack(() => {
      const known = this.#stories[run];
      if (known?.language === language) return known;
      known?.close();
      for (const [path, story] of Object.entries(this.#stories)) {
        if (path !== run && path !== this.active?.path) {
          story.close();
          Reflect.deleteProperty(this.#stories, path);
        }
      }
      // an old run tells its end again to whoever reads it
      const underWay = (): boolean => {
        const row = this.runs.find((r) => r.path === run);
        return row === undefined || row.status === 'running' || row.status === 'paused';
      };
      const story = new Story(
        run,
        this.door,
        language,
        (s) => void this.#ended(s, underWay()),
        (s) => {
          if (!underWay()) return;
          // which devices there are has changed
          if (s.lost) void this.#renewed(this.#listDevices());
          if (s.lost && this.screen !== 'train') this.tell(this.words.train.lost, { bad: true, action: { text: this.words.train.resume, run: () => this.show(s.run, 'train') }, stay: 15000 });
          void this.#renewed(this.refreshRuns());
        },
      );
      story.asked = known?.asked ?? null;
      story.scoring = this.#scoring[run] ?? null;
      this.#stories[run] = story;
      void story.follow();
      return story;
    });
  }

  async #ended(story: Story, watched: boolean): Promise<void> {
    if (!watched) return;
    await this.#renewed(this.refreshRuns());
    // a run that was gone on with tells of its earlier end, too
    if (!story.ended) return;
    if (story.ended.type === 'failed') this.tell(story.ended.message, { bad: true });
    else if (story.ended.status === 'stopped' && this.can.resume)
      this.tell(story.best ? this.words.train.stopped : this.words.train.stoppedLast, { action: { text: this.words.train.resume, run: () => void this.goOn(story.run) }, stay: 15000 });
    else if (this.screen !== 'train')
      this.tell(this.words.train.done, { action: { text: this.words.train.see, run: () => this.show(story.run, 'results') }, stay: 15000 });
  }

  /**
   * Sees to it that a device has been held against the processor; that takes a while the first time, and `checking` says
   * so. False if that was stopped.
   */
  ready(device: string): Promise<boolean> {
    const make = async (): Promise<boolean> => {
      const trial = new AbortController();
      const { signal } = trial;
      this.#trial = trial;
      signal.addEventListener('abort', () => {
        this.checking = null;
        // whoever asks again has it tried again
        Reflect.deleteProperty(this.#ready, device);
      });
      try {
        this.devices = await this.door.readyDevice(device, (name) => (this.checking = name), signal);
        return true;
      } catch (reason) {
        if (signal.aborted) return false;
        throw reason;
      } finally {
        if (!signal.aborted) this.checking = null;
      }
    };
    const known = this.#ready[device];
    if (known) return known;
    const made = make();
    this.#ready[device] = made;
    // what failed is tried anew the next time
    made.catch(() => Reflect.deleteProperty(this.#ready, device));
    return made;
  }

  /** Adds the device that another machine serves, and chooses it. Rejects where it could not be added, or was stopped. */
  async addDevice(address: string, token: string, work: Work): Promise<string> {
    const id = address.trim().toLowerCase();
    const devices = await this.door.addDevice(id, token.trim(), work.tell, work.abort.signal);
    // what the others have told since is newer
    this.devices = devices.map((device) => (device.id === id ? device : (this.devices.find((own) => own.id === device.id) ?? device)));
    Reflect.deleteProperty(this.#ready, id);
    this.device = id;
    return id;
  }

  /** Forgets a device of another machine; the reason where it could not be forgotten. */
  async removeDevice(id: string): Promise<string | null> {
    try {
      const left = await this.door.removeDevice(id);
      this.devices = left.map((device) => this.devices.find((own) => own.id === device.id) ?? device);
      if (this.device === id) this.device = 'auto';
      return null;
    } catch (reason) {
      return failure(reason).message;
    }
  }

  async measure(): Promise<void> {
    const request = this.request;
    // what was measured before is no longer what was chosen
    this.#measuring?.abort();
    this.#measuring = new AbortController();
    const { signal } = this.#measuring;
    const wanted = (): boolean => !signal.aborted;
    this.forecast = null;
    this.forecastFault = null;
    this.forecastStopped = false;
    this.forecastBusy = false;
    if (!request || !this.can.forecast || this.busy) return;
    this.forecastBusy = true;
    try {
      if (!(await this.ready(request.device)) || !wanted()) return;
      const forecast = await this.door.forecast(request, signal);
      if (wanted()) this.forecast = forecast;
    } catch (reason) {
      // no forecast is no obstacle to starting
      if (wanted()) this.forecastFault = failure(reason).message;
    } finally {
      if (wanted()) this.forecastBusy = false;
    }
  }

  /** Ends the measurement under way, and the trial of a device that it waits for. */
  stopMeasuring(): void {
    this.#measuring?.abort();
    this.stopTrial();
    this.forecastBusy = false;
    this.forecastStopped = true;
  }

  /** Ends the trial of a device, if there is one under way. */
  stopTrial(): void {
    if (this.checking !== null) this.#trial?.abort();
  }

  /** Starts what was chosen, and shows it to whoever has stayed. */
  async start(): Promise<void> {
    const request = this.request;
    if (!request || this.busy) return;
    const scoring = this.forecast?.scoring_seconds;
    // the engine ends what would be in the way
    this.#measuring?.abort();
    this.forecastBusy = false;
    const signal = this.#begin();
    const stopped = (): boolean => signal.aborted;
    this.starting = true;
    this.startFault = null;
    try {
      if (!(await this.ready(request.device)) || stopped()) return;
      const path = await this.door.startRun(request, signal);
      if (scoring !== undefined) this.#scoring[path] = scoring;
      await this.#renewed(this.refreshRuns());
      // it began just before it was told not to
      if (stopped()) void this.control(path, 'stop');
      else this.story(path);
      if (this.screen === 'start') this.show(path, 'train');
      else this.tell(this.words.start.begun, { action: { text: this.words.start.toRun, run: () => this.show(path, 'train') }, stay: 15000 });
    } catch (reason) {
      // whoever stopped it knows
      if (stopped()) return;
      this.startFault = failure(reason).message;
      if (this.screen !== 'start') this.tell(this.startFault, { bad: true });
    } finally {
      this.starting = false;
      // what was not measured, or chosen meanwhile, can be measured now
      if (this.forecast === null && this.can.forecast) this.forecastStopped = true;
    }
  }

  #begin(): AbortSignal {
    this.#beginning = new AbortController();
    this.ending = false;
    return this.#beginning.signal;
  }

  /** Ends the start, or the taking up again, that is under way, and the trial of a device that it waits for. */
  leaveStart(): void {
    this.ending = true;
    this.#beginning?.abort();
    this.stopTrial();
  }

  /** Asks the run at work for something; it comes about at the end of a step, and its story tells of it. */
  async control(run: string, what: 'pause' | 'resume' | 'stop'): Promise<void> {
    const story = this.story(run);
    story.asked = what;
    story.fault = null;
    try {
      await { pause: () => this.door.pauseRun(run), resume: () => this.door.resumeRun(run, undefined, new AbortController().signal), stop: () => this.door.stopRun(run) }[what]();
    } catch (reason) {
      story.asked = null;
      // Train says it, above what was asked
      story.fault = failure(reason).message;
    }
    await this.#renewed(this.refreshRuns());
  }

  /** Goes on with a run that was cut off, failed, was stopped or lost its device, on `device` or on the one that it had, and shows it. */
  async goOn(run: string, device?: string): Promise<void> {
    this.show(run, 'train');
    if (this.busy) return;
    this.resuming = run;
    const signal = this.#begin();
    try {
      if (device !== undefined && (!(await this.ready(device)) || signal.aborted)) {
        this.resuming = null;
        return;
      }
      await this.door.resumeRun(run, device, signal);
      // what was known of it ends where it was cut off: it is followed anew
      this.#stories[run]?.close();
      Reflect.deleteProperty(this.#stories, run);
    } catch (reason) {
      if (!signal.aborted) this.story(run).fault = failure(reason).message;
    }
    await this.#renewed(this.refreshRuns());
    this.resuming = null;
    // it was told not to when it had gone on already
    if (signal.aborted && this.active?.path === run) void this.control(run, 'stop');
  }

  deleteRun(run: RunRow): void {
    this.#later(run.path, this.words.runs.deleted(run.name), async () => {
      await this.door.deleteRun(run.path);
      await this.refreshRuns();
    });
    if (this.selected === run.path) this.selected = this.shownRuns[0]?.path ?? null;
  }

  async copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.tell(this.words.copied, { stay: 2000 });
    } catch (reason) {
      this.tell(failure(reason).message, { bad: true });
    }
  }
}
