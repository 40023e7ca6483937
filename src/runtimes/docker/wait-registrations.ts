/**
 * A wait counts from the moment its call returned a promise, yet the engine hears of it a little later and over another
 * connection. Whatever changes a container first lets the waits that were asked for before it arrive.
 */
export class WaitRegistrations {
  readonly #pending = new Map<string, Set<Promise<unknown>>>();

  /** `registered` settles once the engine has taken the wait, or refused it. */
  add(key: string, registered: Promise<unknown>): void {
    const all = this.#pending.get(key) ?? new Set();
    this.#pending.set(key, all);
    const settled = registered.then(
      () => {},
      () => {},
    );
    all.add(settled);
    void settled.then(() => {
      all.delete(settled);
      if (all.size === 0 && this.#pending.get(key) === all) this.#pending.delete(key);
    });
  }

  async settled(key: string): Promise<void> {
    const all = this.#pending.get(key);
    if (all !== undefined) await Promise.all(all);
  }
}
