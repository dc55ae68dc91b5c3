/** What a run's events tell, folded as they come. */
import type { Door, Unsubscribe } from '../backend/door';
import type { EventBatch, Language, TrainEvent } from '../backend/types';
import { failure } from '../backend/failure';

type Of<T extends TrainEvent['type']> = Extract<TrainEvent, { type: T }>;
export type Note = Of<'warning'> | Of<'health'>;
/** An event that is none of the many steps, and the step that it came after. */
export interface Happening {
  at: number;
  event: Exclude<TrainEvent, { type: 'step' }>;
}

export class Story {
  started = $state.raw<Of<'started'> | null>(null);
  forecast = $state.raw<{ seconds: number; peak: number; at: number } | null>(null);
  step = $state.raw<Of<'step'> | null>(null);
  evaluations = $state.raw<Of<'evaluation'>[]>([]);
  /** What answers came to: the run's own first, before what it is held against. */
  scored = $state.raw<Of<'scored'>[]>([]);
  notes = $state.raw<{ at: number; note: Note }[]>([]);
  /** Everything but the steps, in the order in which it happened. */
  past = $state.raw<Happening[]>([]);
  checkpoint = $state<number | null>(null);
  paused = $state(false);
  /** Where it waits because its device was lost, and why. */
  lost = $state.raw<Of<'paused'> | null>(null);
  ended = $state.raw<Of<'completed'> | Of<'failed'> | null>(null);
  fault = $state<string | null>(null);
  /** What was asked of the run and has not happened yet: it ends the step that it is in first. */
  asked = $state<'pause' | 'resume' | 'stop' | null>(null);
  /** Number of the next event. */
  next = $state(0);

  #stop: Unsubscribe | null = null;
  #closed = false;

  constructor(
    readonly run: string,
    readonly door: Door,
    /** What it is told in. */
    readonly language: Language,
    readonly onEnd: (story: Story) => void = () => undefined,
    /** It waits, goes on, or has scores. */
    readonly onTurn: (story: Story) => void = () => undefined,
  ) {}

  /** The last word on health: `null` while nothing was wrong. */
  get health(): Of<'health'> | null {
    const last = this.notes.findLast((n) => n.note.type === 'health');
    return last?.note.type === 'health' ? last.note : null;
  }

  get validation(): Of<'evaluation'> | null {
    return this.evaluations.at(-1) ?? null;
  }

  get best(): Of<'evaluation'> | null {
    return this.evaluations.findLast((e) => e.best) ?? null;
  }

  /** Seconds to go, from the forecast and the steps done since; `null` before it and at the end. */
  get remaining(): number | null {
    if (!this.forecast || !this.started || this.ended || this.lost) return null;
    const after = this.started.steps - this.forecast.at;
    const left = this.started.steps - (this.step?.step ?? 0);
    return after > 0 ? (this.forecast.seconds * left) / after : 0;
  }

  async follow(): Promise<void> {
    // events may come at once, and nothing may change while a screen is being drawn
    await Promise.resolve();
    try {
      const stop = await this.door.subscribe(this.run, this.next, this.language, (batch) => this.take(batch));
      if (this.#closed) stop();
      else this.#stop = stop;
    } catch (reason) {
      this.fault = failure(reason).message;
    }
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
  }

  /** Takes a batch; what is known already is passed over, and after a gap the events are asked for again. */
  take(batch: EventBatch): void {
    if (batch.from > this.next) {
      this.#stop?.();
      this.#stop = null;
      void this.follow();
      return;
    }
    for (const event of batch.events.slice(this.next - batch.from)) {
      this.next += 1;
      this.#fold(event);
    }
  }

  #fold(event: TrainEvent): void {
    const at = this.step?.step ?? 0;
    if (event.type !== 'step') this.past = [...this.past, { at: 'step' in event ? event.step : at, event }];
    switch (event.type) {
      case 'started':
        this.started = event;
        break;
      case 'forecast':
        this.forecast = { seconds: event.seconds, peak: event.peak_memory_bytes, at };
        break;
      case 'step':
        this.step = event;
        break;
      case 'evaluation':
        this.evaluations = [...this.evaluations, event];
        break;
      case 'checkpoint':
        this.checkpoint = event.step;
        break;
      case 'scored':
        this.scored = [...this.scored, event];
        this.onTurn(this);
        break;
      case 'warning':
      case 'health':
        this.notes = [...this.notes, { at: event.type === 'health' ? event.step : at, note: event }];
        break;
      case 'paused':
        this.paused = true;
        if (event.why) {
          // nobody computes it any more
          this.lost = event;
          this.asked = null;
        }
        if (this.asked === 'pause') this.asked = null;
        this.onTurn(this);
        break;
      case 'resumed':
        this.paused = false;
        this.lost = null;
        if (this.asked === 'resume') this.asked = null;
        // a run that was interrupted goes on after its end, from where it was last saved
        this.ended = null;
        if (this.step && this.step.step > event.step) this.step = { ...this.step, step: event.step };
        this.evaluations = this.evaluations.filter((e) => e.step <= event.step);
        this.scored = [];
        this.onTurn(this);
        break;
      case 'completed':
      case 'failed':
        this.ended = event;
        this.paused = false;
        this.lost = null;
        this.asked = null;
        this.onEnd(this);
        break;
    }
  }
}
