/** Work that several callers share: the first begins it, each holds a lease, and with the last one it is closed. */

export interface SharedWork<T> {
  readonly value: T;
  /** Stops what is unfinished and cleans up. Called once; must not reject. */
  close(): Promise<void>;
}

export interface Lease<T> {
  readonly value: T;
  /** Idempotent. Resolves when the work is closed, if this was its last lease, else at once. */
  release(): Promise<void>;
}

interface Entry<T> {
  readonly work: SharedWork<T>;
  users: number;
  closing: Promise<void> | undefined;
}

export class Leases<T> {
  readonly #entries = new Map<string, Entry<T>>();

  /** Joins the work of that key, or begins it. Work that is being closed is waited for, and begun anew. */
  async acquire(key: string, begin: () => SharedWork<T>): Promise<Lease<T>> {
    let entry = this.#entries.get(key);
    while (entry?.closing !== undefined) {
      await entry.closing;
      entry = this.#entries.get(key);
    }
    if (entry === undefined) {
      entry = { work: begin(), users: 0, closing: undefined };
      this.#entries.set(key, entry);
    }
    entry.users++;
    return this.#lease(key, entry);
  }

  /** Resolves when everything that is being closed is closed. */
  async settled(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => entry.closing));
  }

  #lease(key: string, entry: Entry<T>): Lease<T> {
    let isHeld = true;
    return {
      value: entry.work.value,
      release: async () => {
        if (!isHeld) return;
        isHeld = false;
        if (--entry.users > 0) return;
        entry.closing = entry.work.close().finally(() => this.#entries.delete(key));
        await entry.closing;
      },
    };
  }
}
