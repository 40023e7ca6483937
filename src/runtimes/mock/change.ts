/** Wakes everybody who waits for a change. */
export class Change {
  #next = Promise.withResolvers<void>();

  happened(): void {
    const before = this.#next;
    this.#next = Promise.withResolvers<void>();
    before.resolve();
  }

  /** Resolves at the next change, or at `other`; rejects with the reason when `stop` fires. */
  wait(stop: AbortSignal, other?: Promise<void>): Promise<void> {
    const change = this.#next.promise;
    return new Promise((resolve, reject) => {
      const onStop = (): void => reject(stop.reason);
      const done = (): void => {
        stop.removeEventListener("abort", onStop);
        resolve();
      };
      if (stop.aborted) return onStop();
      stop.addEventListener("abort", onStop, { once: true });
      void change.then(done);
      void other?.then(done);
    });
  }
}
