/**
 * A stream by the rules of contract 0.5 around a generator that gives up when `stop` fires: an abort rejects the pending
 * `next` with its reason, `return` also settles a pending `next`, and after either the stream is finished.
 */
export function guardedStream<T>(make: (stop: AbortSignal) => AsyncGenerator<T>, signal: AbortSignal | undefined): AsyncIterableIterator<T> {
  const own = new AbortController();
  const stop = signal === undefined ? own.signal : AbortSignal.any([own.signal, signal]);
  const source = make(stop);
  let finished = false;
  return {
    async next() {
      if (finished) return { done: true, value: undefined };
      try {
        signal?.throwIfAborted();
        const step = await source.next();
        finished ||= step.done === true;
        return step;
      } catch (thrown) {
        const returned = finished;
        finished = true;
        if (returned) return { done: true, value: undefined };
        throw thrown;
      }
    },
    async return() {
      finished = true;
      own.abort();
      await source.return(undefined);
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
