/** Where the mock's time comes from, so that a test can decide it. */
export interface Clock {
  now(): Date;
  /** Never goes back; its zero is arbitrary. */
  monotonicMs(): number;
  /** Calls `run` once after `ms`; dispose to cancel. */
  after(ms: number, run: () => void): Disposable;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/** A clock that stands still until told. Timers that are due run in the order of their times. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  constructor(start: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#nowMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): Disposable {
    const timer = { atMs: this.#nowMs + ms, run };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#timers.delete(due);
      this.#nowMs = due.atMs;
      due.run();
    }
    this.#nowMs = end;
  }

  #next(until: number): { readonly atMs: number; readonly run: () => void } | undefined {
    return [...this.#timers].filter((timer) => timer.atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
  }
}
