/**
 * The data sets that ship, read from their files and changed as a person says, in place of the engine. What an answer is counted by, and
 * what is told of a set, follows `lab::sheet`; what was found in it is not recorded.
 */
import { target } from '../lib/target';
import type { About, Counted, DataOffer, DataSummary, Edit, Finding, LabelCount, Lengths, Row, RowPage, RowQuery, Source, Span, Split, Target } from './types';

const SPLITS = ['train', 'validation', 'test'] as const;
const FILES = import.meta.glob<string>('../../../datasets/*/*.jsonl', { query: '?raw', import: 'default', eager: true });

/** By the task that each is made for. */
const SETS: Readonly<Record<string, string>> = { intent: 'intents-it', entities: 'entities-it', sql: 'sql-it', hashtags: 'hashtags-it' };

const ROLES: Readonly<Record<string, [string, string]>> = { intent: ['text', 'label'], entities: ['text', 'entities'], sql: ['question', 'sql'], hashtags: ['text', 'hashtags'] };

export function folderOf(name: string): string {
  return `datasets/${name}`;
}

/** All of them, by name. */
export function offers(): DataOffer[] {
  const offer = ([task, name]: [string, string]): DataOffer => ({
    name,
    language: 'it',
    source: { task, folder: folderOf(name) },
    shipped: true,
    examples: lines(name, 'train').length,
  });
  return Object.entries(SETS).map(offer).sort((a, b) => a.name.localeCompare(b.name));
}

/** The task of the set that a path lies in. */
export function taskOf(path: string): string | undefined {
  return Object.keys(SETS).find((task) => `${path}/`.startsWith(`${folderOf(SETS[task] ?? '')}/`));
}

function lines(name: string, split: Split): string[] {
  return (FILES[`../../../${folderOf(name)}/${split}.jsonl`] ?? '').trim().split('\n');
}

interface Line {
  text?: string;
  question?: string;
  label?: string;
  entities?: Span[];
  sql?: string;
  hashtags?: string[];
}

function targetOf(line: Line): Target {
  if (line.entities) return { kind: 'entities', spans: line.entities };
  if (line.sql !== undefined) return { kind: 'sql', sql: line.sql };
  if (line.hashtags) return { kind: 'hashtags', tags: line.hashtags };
  return { kind: 'label', label: line.label ?? '' };
}

/** What an answer is counted by: its label, types of entities, hashtags, or tables of a query. */
function names(of: Target): string[] {
  switch (of.kind) {
    case 'label':
      return [of.label];
    case 'entities':
      return [...new Set(of.spans.map((span) => span.type))];
    case 'sql':
      return [...new Set([...of.sql.matchAll(/\b(?:from|join)\s+(\w+)/gi)].map((found) => (found[1] ?? '').toLowerCase()))];
    case 'hashtags':
      return [...new Set(of.tags)];
    case 'completion':
      return [];
  }
}

/** Words stand for tokens. */
function length(row: Row): number {
  return row.text.split(/\s+/).length;
}

/** The commonest first. */
function counted(all: readonly string[]): Counted[] {
  const counts = new Map<string, number>();
  for (const name of all) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count);
}

export class Sheet {
  readonly id: string;
  readonly #task: string;
  readonly #name: string;
  rows: Row[];
  #history: Row[][] = [];
  #future: Row[][] = [];
  /** Rows that were too long when lengths were measured. */
  #long = 0;

  /** `wanted` rows, of which the set's own are repeated; all of its own where nothing is said. */
  constructor(task: string, wanted?: number) {
    const name = SETS[task] ?? '';
    this.#task = task;
    this.#name = name;
    this.id = folderOf(name);
    const read = (split: Split): Row[] =>
      lines(name, split).map((text, i) => {
        const line = JSON.parse(text) as Line;
        const origin = `${this.id}/${split}.jsonl:${i + 1}`;
        return { id: 0, split, origin, text: line.text ?? line.question ?? '', target: targetOf(line), findings: [], group: null, changed: false };
      });
    const own = SPLITS.flatMap(read);
    this.rows = Array.from({ length: wanted ?? own.length }, (_, i) => ({ ...(own[i % own.length] as Row), id: i }));
  }

  get source(): Source {
    return { task: this.#task, folder: this.id };
  }

  get name(): string {
    return this.#name;
  }

  summary(): DataSummary {
    const splits: Partial<Record<Split, number>> = {};
    const labels = new Map<string, LabelCount>();
    for (const row of this.rows) {
      splits[row.split] = (splits[row.split] ?? 0) + 1;
      for (const label of names(row.target)) {
        const count = labels.get(label) ?? { label, train: 0, validation: 0, test: 0 };
        count[row.split] += 1;
        labels.set(label, count);
      }
    }
    const all = (count: LabelCount): number => count.train + count.validation + count.test;
    const empty = this.rows.filter((row) => row.findings.includes('empty_label')).length;
    const findings: Finding[] = [];
    if (empty > 0) findings.push({ kind: 'empty_label', severity: 'error', count: empty, message: `${empty} rows have an empty label; delete them or label them`, fix: 'Every row that is left then teaches something.' });
    if (this.#long > 0) findings.push({ kind: 'too_long', severity: 'error', count: this.#long, message: `${this.#long} rows are too long; shorten them`, fix: 'With --set max_tokens=48 all of them fit.' });
    const roles = ROLES[this.#task] ?? ['text', 'label'];
    const first = this.rows[0];
    return {
      id: this.id,
      source: this.source,
      task: this.#task,
      name: this.#name,
      language: 'it',
      license: 'CC0-1.0',
      splits,
      labels: [...labels.values()].sort((a, b) => all(b) - all(a) || a.label.localeCompare(b.label)),
      findings,
      columns: { names: [...roles], mapping: Object.fromEntries(roles.map((role) => [role, role])), preview: first ? [[first.text, target(first.target)]] : [] },
      changes: this.#history.length,
      undone: this.#future.length,
      skipped: 0,
      first_skipped: null,
      exports: ['jsonl', 'csv', 'a-newer-format'],
    };
  }

  page(query: RowQuery): RowPage {
    const { filter, sort } = query;
    const search = query.search.toLowerCase();
    const finding = filter.finding === undefined ? undefined : this.summary().findings[filter.finding]?.kind;
    const within = (n: number, [from, to]: [number, number]): boolean => n >= from && n <= to;
    let found = this.rows.filter(
      (row) =>
        (!filter.split || row.split === filter.split) &&
        (filter.label === undefined || names(row.target).includes(filter.label)) &&
        (filter.text === undefined || row.text === filter.text) &&
        (filter.among?.includes(row.id) ?? true) &&
        (filter.changed === undefined || row.changed === filter.changed) &&
        (filter.tokens === undefined || (row.split === 'train' && within(length(row), filter.tokens))) &&
        (finding === undefined || row.findings.includes(finding)) &&
        (search === '' || row.text.toLowerCase().includes(search) || target(row.target).toLowerCase().includes(search)),
    );
    const key = { row: (r: Row) => r.id, text: (r: Row) => r.text, target: (r: Row) => target(r.target), split: (r: Row) => SPLITS.indexOf(r.split) }[sort.by];
    if (sort.by !== 'row' || sort.descending) {
      const sign = sort.descending ? -1 : 1;
      found = [...found].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return sign * (typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y)));
      });
    }
    return { total: found.length, rows: found.slice(query.offset, query.offset + query.limit) };
  }

  edit(edit: Edit): DataSummary {
    this.#history.push(this.rows);
    this.#future = [];
    if (edit.kind === 'add') {
      const id = this.rows.reduce((most, row) => Math.max(most, row.id), -1) + 1;
      this.rows = [...this.rows, { id, split: edit.split, origin: `added:${id + 1}`, text: edit.text, target: edit.target, findings: [], group: null, changed: true }];
      return this.summary();
    }
    const change = (row: Row): Row => {
      if (edit.kind === 'relabel') return { ...row, target: edit.target, findings: [], changed: true };
      if (edit.kind === 'rewrite') return { ...row, text: edit.text, changed: true };
      return edit.kind === 'move' ? { ...row, split: edit.split, changed: true } : row;
    };
    this.rows = edit.kind === 'delete' ? this.rows.filter((row) => row.id !== edit.row) : this.rows.map((row) => (row.id === edit.row ? change(row) : row));
    return this.summary();
  }

  undo(): DataSummary {
    return this.#turn(this.#history, this.#future);
  }

  redo(): DataSummary {
    return this.#turn(this.#future, this.#history);
  }

  #turn(from: Row[][], to: Row[][]): DataSummary {
    const rows = from.pop();
    if (rows) {
      to.push(this.rows);
      this.rows = rows;
    }
    return this.summary();
  }

  /** The words that only one label has stand for those that tell it from the others. */
  about(): About {
    const words = new Map<string, Set<string>>();
    for (const row of this.rows) {
      for (const word of row.text.toLowerCase().split(/[^\p{L}\d]+/u)) {
        if (word === '') continue;
        const labels = words.get(word) ?? new Set();
        for (const name of names(row.target)) labels.add(name);
        words.set(word, labels);
      }
    }
    const own = (name: string): string[] => [...words].filter(([, labels]) => labels.size === 1 && labels.has(name)).map(([word]) => word);
    const spans = (row: Row): Span[] => (row.target.kind === 'entities' ? row.target.spans : []);
    const marked = this.rows.flatMap((row) => spans(row).map(({ start, end, type }) => ({ type, text: Array.from(row.text).slice(start, end).join('') })));
    const strings = (name: string): string[] => counted(marked.filter((span) => span.type === name).map((span) => span.text)).map((one) => one.name);
    const told = { intent: own, entities: strings }[this.#task];
    const telling = told ? this.summary().labels.map(({ label }) => ({ name: label, words: told(label).slice(0, 8) })) : [];
    const those = (kind: Target['kind']): Counted[] => counted(this.rows.flatMap((row) => (row.target.kind === kind ? names(row.target) : [])));
    return { words: words.size, known_words: {}, telling, features: [], tables: those('sql'), tags: those('hashtags').slice(0, 20), known_tags: {} };
  }

  lengths(): Lengths {
    const counts = this.rows.filter((row) => row.split === 'train').slice(0, 20_000).map(length);
    const longest = counts.reduce((most, n) => Math.max(most, n), 0);
    const bins = Array.from({ length: longest }, (_, i) => ({ from: i + 1, to: i + 1, count: counts.filter((n) => n === i + 1).length }));
    this.#long = counts.filter((n) => n > 24).length;
    return { bins, longest, limit: 24, over_limit: this.#long, measured: counts.length, made: 0, refused: this.#long };
  }

  /** What stands for the nearness to a model: answers of a name are alike. */
  kin(row: Row): string {
    return names(row.target)[0] ?? '';
  }
}
