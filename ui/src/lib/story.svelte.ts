/** What a run's events tell, folded as they come. */
import type { Door, Unsubscribe } from '../backend/door';
import type { EventBatch, Language, Symptom, TrainEvent } from '../backend/types';
import { failure } from '../backend/failure';

type Of<T extends TrainEvent['type']> = Extract<TrainEvent, { type: T }>;
export type Note = Of<'warning'> | Of<'health'>;
/** An event that is none of the many that tell how far something is, and the step that it came after. */
export interface Happening {
  at: number;
  event: Exclude<TrainEvent, { type: 'step' | 'answering' }>;
}

/** What is worth knowing of the data, of a batch or of the memory, while the training itself is as it should be. */
const REMARKS: readonly Symptom[] = ['no_targets', 'empty_targets', 'doubled_start', 'contradiction', 'few_targets', 'memory_growing'];

/** Does it say no more than that something is worth knowing? */
export function isRemark(health: Of<'health'>): boolean {
  return !health.ok && health.remedy !== 'stop' && health.symptom !== null && REMARKS.includes(health.symptom);
}

/** How much the last step counts in the time that a step takes. */
const LAST = 0.1;

export class Story {
  started = $state.raw<Of<'started'> | null>(null);
  forecast = $state.raw<{ seconds: number; peak: number; at: number } | null>(null);
  step = $state.raw<Of<'step'> | null>(null);
  evaluations = $state.raw<Of<'evaluation'>[]>([]);
  /** Whose answers are asked for, and how far that is: the training is over. */
  answering = $state.raw<Of<'answering'> | null>(null);
  /** Its training was stopped: its own answers are asked for, and nobody else's. */
  stopped = $state(false);
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
  /** Seconds that all answers will take together, if that was measured before the run. */
  scoring = $state<number | null>(null);
  /** Seconds that a step takes now; not known before the first slow ones are over. */
  #pace = $state<number | null>(null);
  /** Seconds that the answers took of those who have answered all. */
  #answered = $state(0);

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

  /** The last word on health: `null` while nothing was wrong. Before all is well again, a remark does not hide what is wrong. */
  get health(): Of<'health'> | null {
    const all = this.notes.flatMap((n) => (n.note.type === 'health' ? [n.note] : []));
    const since = all.slice(all.findLastIndex((h) => h.ok) + 1);
    return since.findLast((h) => !isRemark(h)) ?? since.at(-1) ?? all.at(-1) ?? null;
  }

  get validation(): Of<'evaluation'> | null {
    return this.evaluations.at(-1) ?? null;
  }

  get best(): Of<'evaluation'> | null {
    return this.evaluations.findLast((e) => e.best) ?? null;
  }

  /** How much is done: of the steps, and once they are, of the answers that are asked for now. */
  get share(): number {
    if (this.answering) return this.answering.of > 0 ? this.answering.done / this.answering.of : 1;
    return this.started && this.step ? this.step.step / this.started.steps : 0;
  }

  /** Seconds to go, by how steps and answers have gone so far; `null` while that is not known, and at the end. */
  get remaining(): number | null {
    if (this.ended || this.lost) return null;
    if (this.answering) {
      const { done, of, seconds } = this.answering;
      const own = done > 0 && seconds > 0 ? (seconds / done) * (of - done) : null;
      if (this.scoring === null || this.stopped) return own;
      const all = this.scoring - this.#answered - seconds;
      return own === null && all <= 0 ? null : Math.max(own ?? 0, all);
    }
    if (!this.started || this.#pace === null) return null;
    return (this.started.steps - (this.step?.step ?? 0)) * this.#pace + (this.scoring ?? 0);
  }

  /** Whether the seconds to go are only those of the answers that are asked for now: how many follow is not known. */
  get partly(): boolean {
    return this.answering !== null && this.scoring === null && !this.stopped;
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
    if (batch.fault !== undefined) this.fault = batch.fault;
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
    if (event.type !== 'step' && event.type !== 'answering') this.past = [...this.past, { at: 'step' in event ? event.step : at, event }];
    switch (event.type) {
      case 'started':
        this.started = event;
        break;
      case 'forecast':
        this.forecast = { seconds: event.seconds, peak: event.peak_memory_bytes, at };
        if (this.started && this.started.steps > at) this.#pace = event.seconds / (this.started.steps - at);
        break;
      case 'step':
        this.step = event;
        if (this.#pace !== null && event.tokens_per_second > 0) this.#pace += LAST * (event.tokens / event.tokens_per_second - this.#pace);
        break;
      case 'evaluation':
        this.evaluations = [...this.evaluations, event];
        break;
      case 'checkpoint':
        this.checkpoint = event.step;
        break;
      case 'answering':
        if (this.answering === null) {
          // what was asked of the training has come about or cannot any more, and what is measured now can be stopped, too
          if (this.asked === 'stop') this.stopped = true;
          this.asked = null;
        }
        if (this.answering && this.answering.system !== event.system) this.#answered += this.answering.seconds;
        this.answering = event;
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
          this.#unanswered();
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
        this.#unanswered();
        this.onTurn(this);
        break;
      case 'completed':
      case 'failed':
        this.ended = event;
        this.paused = false;
        this.lost = null;
        this.asked = null;
        this.#unanswered();
        this.onEnd(this);
        break;
    }
  }

  /** Nobody is asked for answers any more. */
  #unanswered(): void {
    this.answering = null;
    this.stopped = false;
    this.#answered = 0;
  }
}
