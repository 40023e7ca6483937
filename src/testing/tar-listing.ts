/** What is in a tar, for assertions. */
import { TarReader, type TarEntry } from "../archive/tar-reader.ts";

export interface ListedEntry extends TarEntry {
  readonly data: Buffer;
}

/** Collects a stream of bytes. */
export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}

/** Reads a whole archive strictly: anything malformed or cut short throws. */
export function listTar(tar: Uint8Array): readonly ListedEntry[] {
  const entries: ListedEntry[] = [];
  let parts: Buffer[] = [];
  let current: TarEntry | undefined;
  const finish = (): void => {
    if (current !== undefined) entries.push({ ...current, data: Buffer.concat(parts) });
    [current, parts] = [undefined, []];
  };
  const reader = new TarReader({
    begin: (entry) => {
      finish();
      current = entry;
    },
    data: (chunk) => void parts.push(Buffer.from(chunk)),
    end: () => {},
  });
  reader.write(Buffer.from(tar));
  reader.finish();
  finish();
  return entries;
}
