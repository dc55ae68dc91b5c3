/** A long list that is fetched page by page as it comes into view. */
import { failure } from '../backend/failure';

export const PAGE = 200;
/** Pages kept; those furthest from view go first. */
const KEPT = 40;

export type Fetch<T> = (offset: number, limit: number) => Promise<{ total: number; rows: T[] }>;

export class Pages<T> {
  total = $state(0);
  /** Has the first page of the present question arrived? */
  ready = $state(false);
  fault = $state<string | null>(null);
  /** A new question has not been answered yet. */
  asking = $state(false);
  #pages = $state.raw<Readonly<Record<number, T[]>>>({});
  readonly #asked: Record<number, true> = {};
  #fetch: Fetch<T> | null = null;
  /** Answers to earlier questions are dropped. */
  #question = 0;

  /** Asks anew. What was shown stays until the first answer is there, so nothing flickers. */
  async ask(fetch: Fetch<T>): Promise<void> {
    this.#question += 1;
    const question = this.#question;
    this.#fetch = fetch;
    for (const page of Object.keys(this.#asked)) Reflect.deleteProperty(this.#asked, page);
    this.#asked[0] = true;
    this.asking = true;
    try {
      const { total, rows } = await fetch(0, PAGE);
      if (question !== this.#question) return;
      this.#pages = { 0: rows };
      this.total = total;
      this.fault = null;
      this.ready = true;
    } catch (reason) {
      if (question === this.#question) this.fault = failure(reason).message;
    } finally {
      if (question === this.#question) this.asking = false;
    }
  }

  /** The row at this place; `undefined` while it is on its way. */
  at(index: number): T | undefined {
    return this.#pages[Math.floor(index / PAGE)]?.[index % PAGE];
  }

  /** Forgets everything: what is asked next is another list. */
  clear(): void {
    this.#question += 1;
    this.#fetch = null;
    this.#pages = {};
    this.total = 0;
    this.ready = false;
    this.asking = false;
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

  /** Sees to it that these rows come. */
  want(first: number, last: number): void {
    if (!this.ready) return;
    for (let page = Math.floor(first / PAGE); page * PAGE < Math.min(last, this.total); page += 1) void this.#page(page);
  }

  async #page(page: number): Promise<void> {
    const fetch = this.#fetch;
    if (!fetch || this.#asked[page]) return;
    this.#asked[page] = true;
    const question = this.#question;
    try {
      const { rows } = await fetch(page * PAGE, PAGE);
      if (question !== this.#question) return;
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
      if (question !== this.#question) return;
      Reflect.deleteProperty(this.#asked, page);
      this.fault = failure(reason).message;
    }
  }
}
