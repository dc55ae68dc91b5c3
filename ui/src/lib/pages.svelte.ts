/** A long list that is fetched page by page as it comes into view. */
import { failure } from '../backend/failure';
import { Work } from './work.svelte';

export const PAGE = 200;
/** Pages kept; those furthest from view go first. */
const KEPT = 40;

export type Fetch<T> = (offset: number, limit: number, work: Work) => Promise<{ total: number; rows: T[] }>;

export class Pages<T> {
  total = $state(0);
  /** Has the first page of some question arrived? */
  ready = $state(false);
  fault = $state<string | null>(null);
  /** A new question has not been answered yet. */
  asking = $state.raw<Work | null>(null);
  #pages = $state.raw<Readonly<Record<number, T[]>>>({});
  /** Pages that are on their way, and `null` for those that have arrived. */
  readonly #asked: Record<number, Work | null> = {};
  /** What brings the pages of what is shown. */
  #fetch: Fetch<T> | null = null;

  /**
   * Asks anew, and no longer for what was asked before. What was shown stays until the first answer is there, so nothing
   * flickers, and also where a person stops it. Whether it was answered, or stopped; `null` if another was asked meanwhile.
   */
  async ask(fetch: Fetch<T>): Promise<'answered' | 'stopped' | 'failed' | null> {
    this.#leave();
    const work = new Work();
    this.asking = work;
    this.fault = null;
    try {
      const { total, rows } = await fetch(0, PAGE, work);
      if (this.asking !== work) return null;
      this.#fetch = fetch;
      for (const page of Object.keys(this.#asked)) Reflect.deleteProperty(this.#asked, page);
      this.#asked[0] = null;
      this.#pages = { 0: rows };
      this.total = total;
      this.ready = true;
      return 'answered';
    } catch (reason) {
      if (this.asking !== work) return null;
      if (work.abort.signal.aborted) return 'stopped';
      this.fault = failure(reason).message;
      return 'failed';
    } finally {
      if (this.asking === work) this.asking = null;
    }
  }

  /** Nobody waits any more for what is on its way. */
  #leave(): void {
    const coming = [this.asking, ...Object.values(this.#asked)];
    this.asking = null;
    for (const work of coming) work?.abort.abort();
  }

  /** The row at this place; `undefined` while it is on its way. */
  at(index: number): T | undefined {
    return this.#pages[Math.floor(index / PAGE)]?.[index % PAGE];
  }

  /** Forgets everything: what is asked next is another list. */
  clear(): void {
    this.#leave();
    this.#fetch = null;
    this.#pages = {};
    this.total = 0;
    this.ready = false;
    this.fault = null;
  }

  /** The first row here that is wanted. */
  find(wanted: (row: T) => boolean): T | undefined {
    for (const page of Object.values(this.#pages)) {
      const row = page.find(wanted);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  /** Sees to it that these rows come: those of a new question, once it is answered. */
  want(first: number, last: number): void {
    if (!this.ready || this.asking) return;
    for (let page = Math.floor(first / PAGE); page * PAGE < Math.min(last, this.total); page += 1) void this.#page(page);
  }

  async #page(page: number): Promise<void> {
    const fetch = this.#fetch;
    if (!fetch || this.#asked[page] !== undefined) return;
    const work = new Work();
    this.#asked[page] = work;
    try {
      const { rows } = await fetch(page * PAGE, PAGE, work);
      if (fetch !== this.#fetch) return;
      this.#asked[page] = null;
      const pages = { ...this.#pages, [page]: rows };
      const far = Object.keys(pages)
        .map(Number)
        .sort((a, b) => Math.abs(b - page) - Math.abs(a - page));
      for (const old of far.slice(0, Math.max(far.length - KEPT, 0))) {
        Reflect.deleteProperty(pages, old);
        Reflect.deleteProperty(this.#asked, old);
      }
      this.#pages = pages;
    } catch (reason) {
      if (fetch !== this.#fetch) return;
      // it is wanted again, once it is in view
      Reflect.deleteProperty(this.#asked, page);
      if (!work.abort.signal.aborted) this.fault = failure(reason).message;
    }
  }
}
