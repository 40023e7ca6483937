import type { Digest } from "../spec/digest.ts";
import { digestHex } from "../spec/digest.ts";

/** A line of a pull, in Docker's words (contract 1.4 "PullProgress", method 24). `id` is the short digest of a layer. */
export interface PullStatus {
  readonly kind: "status";
  readonly id?: string | undefined;
  readonly status: string;
  /** Bytes of the stored layer. */
  readonly current?: number | undefined;
  readonly total?: number | undefined;
}

export type OnPullStatus = (event: PullStatus) => void;

const updateEveryMs = 100;

/** Tells everyone who listens, and whoever begins to listen later the last thing that was said. */
export class StatusBoard {
  readonly #listeners = new Set<OnPullStatus>();
  #last: PullStatus | undefined;
  #lastUpdate = 0;

  listen(listener: OnPullStatus): Disposable {
    if (this.#last !== undefined) listener(this.#last);
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  say(event: PullStatus): void {
    this.#last = event;
    for (const listener of this.#listeners) listener(event);
  }

  /** For numbers that change all the time: at most ten a second. */
  update(event: PullStatus): void {
    const now = performance.now();
    if (now - this.#lastUpdate < updateEveryMs && this.#last?.status === event.status) return;
    this.#lastUpdate = now;
    this.say(event);
  }
}

export function layerStatus(digest: Digest, status: string, progress?: { readonly current: number; readonly total: number }): PullStatus {
  return { kind: "status", id: digestHex(digest).slice(0, 12), status, ...progress };
}

export function imageStatus(status: string): PullStatus {
  return { kind: "status", status };
}
