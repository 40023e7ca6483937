/** What work says while it runs, then what it ends in. Leaving the stream waits until the work, which must have been told to stop, has. */
export async function* progressStream<Event, Result>(
  begin: (say: (event: Event) => void) => Promise<Result>,
  done: (result: Result) => Event,
): AsyncGenerator<Event, void, void> {
  const queue: Event[] = [];
  let wake = (): void => {};
  let isDone = false;
  const work = begin((event) => {
    queue.push(event);
    wake();
  }).finally(() => {
    isDone = true;
    wake();
  });
  work.catch(() => {});
  try {
    while (!isDone || queue.length > 0) {
      const event = queue.shift();
      if (event !== undefined) yield event;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
    yield done(await work);
  } finally {
    await work.catch(() => {});
  }
}
