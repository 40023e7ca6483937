/**
 * One timer for all that wait for some moment or other and do not mind a few milliseconds: what is due at about the same time is
 * called together, so that many waiters wake the process seldom.
 */
export class Ticks {
  readonly #slotMs: number;
  readonly #slots = new Map<number, Set<() => void>>();
  #timer: NodeJS.Timeout | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(slotMs: number) {
    this.#slotMs = slotMs;
  }

  /** Calls at `atMs` of performance.now(), or up to a slot later. Returns how to call it off; nothing then stays. */
  at(atMs: number, run: () => void): () => void {
    const slot = Math.ceil(Math.max(atMs, performance.now()) / this.#slotMs) * this.#slotMs;
    const waiting = this.#slots.get(slot) ?? new Set();
    this.#slots.set(slot, waiting.add(run));
    this.#arm();
    return () => {
      waiting.delete(run);
      if (waiting.size === 0 && this.#slots.get(slot) === waiting) this.#slots.delete(slot);
      if (this.#slots.size === 0) this.#arm();
    };
  }

  #arm(): void {
    const next = Math.min(Number.POSITIVE_INFINITY, ...this.#slots.keys());
    if (next === this.#armedFor) return;
    clearTimeout(this.#timer);
    this.#armedFor = next;
    this.#timer = next === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => this.#fire(), Math.max(0, next - performance.now()));
  }

  #fire(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = performance.now();
    const due = [...this.#slots].filter(([slot]) => slot <= now + 1).sort(([a], [b]) => a - b);
    for (const [slot] of due) this.#slots.delete(slot);
    for (const [, waiting] of due) for (const run of [...waiting]) run();
    this.#arm();
  }
}
