/** Does `work` `total` times, some at a time; answers what it answered, in no order. */
export async function inLanes<T>(total: number, work: () => Promise<T>, lanes = 4): Promise<T[]> {
  const done: T[] = [];
  let left = total;
  const lane = async (): Promise<void> => {
    while (left-- > 0) done.push(await work());
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return done;
}
