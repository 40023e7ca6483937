/** Rejects as soon as the signal fires, while the work itself goes on to a consistent end (contract Part 2, "Abort of a mutating call"). */
export function abandonable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** Calls `run` when the signal fires; dispose to stop listening. */
export function onAbort(signal: AbortSignal | undefined, run: (reason: unknown) => void): Disposable {
  if (signal === undefined) return { [Symbol.dispose]: () => {} };
  const listener = (): void => run(signal.reason);
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", listener) };
}
