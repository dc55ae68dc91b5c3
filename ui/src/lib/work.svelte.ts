/** Long work under way, and what is asked of the engine and takes its time. */
import { failure } from '../backend/failure';
import type { Progress } from '../backend/types';

/** Long work under way: how far it is, and what stops it. */
export class Work {
  progress = $state.raw<Progress | null>(null);
  readonly abort = new AbortController();
  readonly tell = (progress: Progress): void => void (this.progress = progress);

  /** What a progress bar shows of it: nothing while nobody knows how much there is. */
  get bar(): { value?: number; max?: number } {
    return this.progress?.total ? { value: this.progress.done, max: this.progress.total } : {};
  }
}

/** A question to the engine, whose answer is shown: a new one ends the one before. */
export class Question<T> {
  answer = $state.raw<T | null>(null);
  fault = $state<string | null>(null);
  /** A person stopped it, and may ask it again. */
  stopped = $state(false);
  /** It has not been answered yet. */
  work = $state.raw<Work | null>(null);

  /** Asks; the answer to the question before stays until then. Gives the answer, unless there is none or another was asked for meanwhile. */
  async ask(ask: (work: Work) => Promise<T>): Promise<T | null> {
    this.leave();
    const work = new Work();
    this.work = work;
    this.fault = null;
    const stop = (): void => {
      if (this.work !== work) return;
      // what comes of it after all is not waited for
      this.work = null;
      this.stopped = true;
    };
    work.abort.signal.addEventListener('abort', stop, { once: true });
    try {
      const answer = await ask(work);
      if (this.work !== work) return null;
      this.answer = answer;
      return answer;
    } catch (reason) {
      if (this.work === work) this.fault = failure(reason).message;
      return null;
    } finally {
      if (this.work === work) this.work = null;
    }
  }

  /** Nobody waits for an answer any more. */
  leave(): void {
    const work = this.work;
    this.work = null;
    this.stopped = false;
    work?.abort.abort();
  }

  /** There is no question any more. */
  clear(): void {
    this.leave();
    this.answer = null;
    this.fault = null;
  }
}
