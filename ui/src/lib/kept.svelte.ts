/** What screens keep while another one is shown: a screen itself is gone as soon as it is left. */
import { SvelteMap } from 'svelte/reactivity';
import type { Answered, DataSummary, Language, Lengths, Opened, PredictionPage, Row, RowFilter, RowQuery, Run, Said } from '../backend/types';
import { Pages } from './pages.svelte';
import { Question } from './work.svelte';

/** How many labels or hashtags are listed at first, and how many more each time. */
export const COUNTED = 100;

/** What the table is asked for. */
export interface Wanted {
  /** The data set as it was then. */
  data: DataSummary;
  filter: RowFilter;
  search: string;
  sort: RowQuery['sort'];
  /** By which rows are chosen, where they are chosen by their lengths. */
  lengths: Lengths | null;
}

class KeptData {
  /** The data set that all of this is about. */
  id: string | undefined;
  filter = $state.raw<RowFilter>({});
  search = $state('');
  sort = $state.raw<RowQuery['sort']>({ by: 'row', descending: false });
  /** How many of its labels or hashtags are listed. */
  counted = $state(COUNTED);
  selected = $state.raw<Row | null>(null);
  view = $state<'table' | 'map'>('table');
  /** Format that was chosen for exports; another task may lack it. */
  wanted = $state('jsonl');
  readonly pages = new Pages<Row>();
  /** What the rows on show answer, and what was asked last. */
  shown: Wanted | null = null;
  asked: Wanted | null = null;
  /** A person stopped what would have brought the rows as they are now. */
  stale = $state(false);
  /** How far down the table was. */
  scroll = $state(0);
  readonly lengths = new Question<Lengths>();
  /** What the lengths are measured of. */
  measured: string | null = null;

  /** Another data set has other rows and other findings. */
  turnTo(id: string | undefined): void {
    this.id = id;
    this.filter = {};
    this.search = '';
    this.counted = COUNTED;
    this.selected = null;
    this.scroll = 0;
    this.lengths.clear();
    this.measured = null;
    this.pages.clear();
    this.shown = this.asked = null;
    this.stale = false;
  }
}

/** How many answers are shown at first, and how many more each time. */
export const STEP = 50;

class KeptResults {
  /** The run that all of this is about. */
  path: string | null = null;
  whole = $state.raw<Run | null>(null);
  side = $state<'wrong' | 'right' | 'all'>('wrong');
  /** The cell, point or bar of a figure whose answers are shown. */
  opened = $state.raw<Opened | null>(null);
  surest = $state(true);
  limit = $state(STEP);
  readonly answers = new Question<PredictionPage>();
  /** How far down the screen was, and how far down its answers. */
  readonly page = { scroll: 0 };
  readonly list = { scroll: 0 };
  order = $state.raw<{ by: 'label' | 'precision' | 'recall' | 'f1' | 'support'; descending: boolean }>({ by: 'f1', descending: false });

  /** Another run has other answers. One that is chosen while this screen is shown leaves it where it is, at `scroll`. */
  turnTo(path: string | null, scroll: number): void {
    this.path = path;
    this.answers.leave();
    this.opened = null;
    this.limit = STEP;
    this.page.scroll = scroll;
    this.list.scroll = 0;
  }
}

class KeptTry {
  text = $state('');
  fault = $state<string | null>(null);
  /** What is being answered, and what both models have said of it so far. */
  asking = $state.raw<{ text: string; abort: AbortController; tuned: Said | null; base: Said | null } | null>(null);
  /** What each run has answered, latest first. */
  readonly answered = new SvelteMap<string, Answered[]>();
}

class KeptCompare {
  ticked = $state.raw<string[]>([]);
  /** Only what differs. */
  only = $state(true);
}

class KeptReport {
  language = $state<Language | null>(null);
  formats = $state.raw<string[] | null>(null);
  /** Sections that are left out, of this report and the next. */
  without = $state.raw<string[]>([]);
}

export class Kept {
  readonly data = new KeptData();
  readonly results = new KeptResults();
  readonly try = new KeptTry();
  readonly compare = new KeptCompare();
  readonly report = new KeptReport();
}
