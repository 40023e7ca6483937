/**
 * A stream whose connection was opened before its first read. A generator that is left before that has not begun, and so
 * would not let go of it.
 */
export function releasing<T>(stream: AsyncIterableIterator<T>, release: () => void): AsyncIterableIterator<T> {
  return {
    next: () => stream.next(),
    async return() {
      release();
      await stream.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
