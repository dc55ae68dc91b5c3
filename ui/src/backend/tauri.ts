/** The door with Tauri behind it: each method is a command of the same name in snake_case. */
import { Channel, invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { getCurrentWebview } from '@tauri-apps/api/webview';
import type { Door, Unsubscribe } from './door';
import { failure } from './failure';
import type { Command, EventBatch, Progress } from './types';

async function call<T>(command: string, args: Record<string, unknown> = {}): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (reason) {
    // the contract of the door: failures are plain values, not exceptions
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw failure(reason);
  }
}

/** Listeners on their way. */
const registering: Promise<unknown>[] = [];

/** A listener that is registered asynchronously, undone synchronously. */
function registered(listening: Promise<Unsubscribe>): Unsubscribe {
  let over = false;
  let undo: Unsubscribe | undefined;
  registering.push(
    listening.then((stop) => {
      if (over) stop();
      else undo = stop;
    }),
  );
  return () => {
    over = true;
    undo?.();
  };
}

/** A channel on which somebody listens. */
function heard<T>(listener: (message: T) => void): Channel<T> {
  const channel = new Channel<T>();
  channel.onmessage = listener;
  return channel;
}

/** Long work that can be cancelled. */
async function cancellable<T>(signal: AbortSignal, work: () => Promise<T>, end: () => Promise<void>): Promise<T> {
  // what was stopped before it began hears of no stop any more
  signal.throwIfAborted();
  const cancel = (): void => void end().catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await work();
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Long work that tells of itself and can be cancelled. */
function watched<T, News = Progress>(onNews: (news: News) => void, signal: AbortSignal, work: (news: Channel<News>) => Promise<T>): Promise<T> {
  const channel = heard(onNews);
  return cancellable(signal, () => work(channel), () => call('cancel', { channel: channel.id }));
}

export const tauri: Door = {
  capabilities: () => call('capabilities'),
  settings: () => call('settings'),
  saveSettings: (settings) => call('save_settings', { settings }),
  onCommand: (handler) => registered(listen<Command>('command', (event) => handler(event.payload))),
  onDrop: (handler) =>
    registered(
      getCurrentWebview().onDragDropEvent((event) => {
        if (event.payload.type === 'drop' && event.payload.paths.length > 0) handler(event.payload.paths);
      }),
    ),
  onDrag: (handler) =>
    registered(getCurrentWebview().onDragDropEvent((event) => handler(event.payload.type === 'enter' || event.payload.type === 'over'))),
  listening: async () => {
    await Promise.all(registering);
    await call('listening');
  },
  diagnostics: () => call('diagnostics'),

  pickFile: (what, title) => call('pick_file', { what, title }),
  pickFolder: (title) => call('pick_folder', { title }),

  devices: () => call('devices'),
  readyDevice: (device, onCheck, signal) => watched(onCheck, signal, (checking) => call('ready_device', { device, checking })),
  addDevice: (address, token, onProgress, signal) => watched(onProgress, signal, (progress) => call('add_device', { address, token, progress })),
  removeDevice: (address) => call('remove_device', { address }),
  tasks: () => call('tasks'),

  models: () => call('models'),
  getModel: (name, token, onProgress, signal) =>
    cancellable(signal, () => call('get_model', { name, token, progress: heard(onProgress) }), () => call('cancel_get_model', { name })),
  importModel: (path, onProgress, signal) => watched(onProgress, signal, (progress) => call('import_model', { path, progress })),
  isModel: (path) => call('is_model', { path }),
  removeModel: (name) => call('remove_model', { name }),

  dataOffers: () => call('data_offers'),
  sourceOf: (task, files) => call('source_of', { task, files }),
  openData: (source, onProgress, signal) => watched(onProgress, signal, (progress) => call('open_data', { source, progress })),
  dataSummary: (data, language) => call('data_summary', { data, language }),
  rows: (query, onProgress, signal) => watched(onProgress, signal, (progress) => call('rows', { query, progress })),
  dataColumns: (source) => call('data_columns', { source }),
  editRow: (data, edit, onProgress, signal) => watched(onProgress, signal, (progress) => call('edit_row', { data, edit, progress })),
  undoEdit: (data, onProgress, signal) => watched(onProgress, signal, (progress) => call('undo_edit', { data, progress })),
  redoEdit: (data, onProgress, signal) => watched(onProgress, signal, (progress) => call('redo_edit', { data, progress })),
  checkData: (data, onProgress, signal) => watched(onProgress, signal, (progress) => call('check_data', { data, progress })),
  describeData: (data, onProgress, signal) => watched(onProgress, signal, (progress) => call('describe_data', { data, progress })),
  exportData: (data, folder, format, onProgress, signal) => watched(onProgress, signal, (progress) => call('export_data', { data, folder, format, progress })),
  divideData: (data, validation, test, seed, onProgress, signal) =>
    watched(onProgress, signal, (progress) => call('divide_data', { data, validation, test, seed, progress })),
  microscope: (data, row, model, method, set, onProgress, signal) =>
    watched(onProgress, signal, (progress) => call('microscope', { data, row, model, method, set, progress })),
  lengths: (data, model, method, set, onProgress, signal) => watched(onProgress, signal, (progress) => call('lengths', { data, model, method, set, progress })),
  dataMap: (data, model, language, onProgress, signal) => watched(onProgress, signal, (progress) => call('data_map', { data, model, language, progress })),
  nearRows: (data, row, model, onProgress, signal) => watched(onProgress, signal, (progress) => call('near_rows', { data, row, model, progress })),
  queryRow: (data, row, onProgress, signal) => watched(onProgress, signal, (progress) => call('query_row', { data, row, progress })),

  forecast: (request, signal) => cancellable(signal, () => call('forecast', { request }), () => call('cancel_forecast')),
  startRun: (request, signal) => cancellable(signal, () => call('start_run', { request }), () => call('cancel_start')),
  pauseRun: (run) => call('pause_run', { run }),
  resumeRun: (run, device, signal) => cancellable(signal, () => call('resume_run', { run, device }), () => call('cancel_start')),
  stopRun: (run) => call('stop_run', { run }),
  runs: () => call('runs'),
  run: (run, language) => call('run', { run, language }),
  subscribe: async (run, from, language, onBatch) => {
    const channel = heard<EventBatch>(onBatch);
    const id = await call<number>('subscribe', { run, from, language, channel });
    return () => {
      channel.onmessage = () => undefined;
      void call('unsubscribe', { id }).catch(() => undefined);
    };
  },
  deleteRun: (run) => call('delete_run', { run }),

  predictions: (run, filter, offset, limit, language, onProgress, signal) =>
    watched(onProgress, signal, (progress) => call('predictions', { run, filter, offset, limit, language, progress })),
  runQuery: (run, sql, onProgress, signal) => watched(onProgress, signal, (progress) => call('run_query', { run, sql, progress })),
  figure: (run, name, language, onProgress, signal) => watched(onProgress, signal, (progress) => call('figure', { run, name, language, progress })),
  predict: (run, text, onSaid, signal) => watched(onSaid, signal, (said) => call('predict', { run, text, said })),
  compare: (runs, language, onProgress, signal) => watched(onProgress, signal, (progress) => call('compare', { runs, language, progress })),
  importPredictions: (path, like, onProgress, signal) => watched(onProgress, signal, (progress) => call('import_predictions', { path, like, progress })),

  reportPage: (run, language, without, onProgress, signal) => watched(onProgress, signal, (progress) => call('report_page', { run, language, without, progress })),
  exportReport: (run, formats, folder, language, without, onProgress, signal) =>
    watched(onProgress, signal, (progress) => call('export_report', { run, formats, folder, language, without, progress })),
  exportModel: (run, format, folder, language, onProgress, signal) =>
    watched(onProgress, signal, (progress) => call('export_model', { run, format, folder, language, progress })),
  packRun: (run, folder, onProgress, signal) => watched(onProgress, signal, (progress) => call('pack_run', { run, folder, progress })),
  unpackRun: (path, onProgress, signal) => watched(onProgress, signal, (progress) => call('unpack_run', { path, progress })),
};
