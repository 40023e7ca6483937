/**
 * A tar that was read strictly, written anew: who gets it can read it in one way only, and none of its entries leads out of the
 * directory it is unpacked in.
 */
import { componentsOf, nanoseconds, refusedEntry } from "./tar-entry.ts";
import { type TarEntry, TarReader, type TarSink } from "./tar-reader.ts";
import { endOfTar, tarHeader, tarPadding } from "./tar-writer.ts";

export interface TarOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface CanonicalTarOptions {
  /** Of every entry, whatever the archive says. */
  readonly owner?: TarOwner | undefined;
}

/** Throws `pull_failed` at the first thing that is no tar, `invalid_spec` at a name that leads out; entries before it were given. */
export async function* canonicalTar(source: AsyncIterable<Buffer>, o: CanonicalTarOptions = {}): AsyncGenerator<Buffer, void, void> {
  const sink = new Rewriter(o);
  const reader = new TarReader(sink);
  for await (const chunk of source) {
    reader.write(chunk);
    const written = sink.take();
    if (written.length > 0) yield written;
  }
  reader.finish();
  yield endOfTar;
}

class Rewriter implements TarSink {
  readonly #owner: TarOwner | undefined;
  #pieces: Buffer[] = [];
  #size: number | undefined;

  constructor({ owner }: CanonicalTarOptions) {
    this.#owner = owner;
  }

  /** A copy: the chunks are their owner's again. */
  take(): Buffer {
    const whole = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return whole;
  }

  begin(entry: TarEntry): void {
    const name = componentsOf(entry.name, entry.name).join("/");
    // The directory itself stays as it is.
    this.#size = name === "" ? undefined : entry.size;
    if (name === "") return;
    const member = { ...entry, ...this.#owner, name, linkName: linkName(entry), mtimeNs: nanoseconds(entry.mtime) };
    this.#pieces.push(tarHeader(member));
  }

  data(chunk: Buffer): void {
    if (this.#size !== undefined) this.#pieces.push(chunk);
  }

  end(): void {
    if (this.#size !== undefined) this.#pieces.push(Buffer.alloc(tarPadding(this.#size)));
  }
}

/** A hard link names another entry, a symlink whatever it likes. */
function linkName({ type, name, linkName: target }: TarEntry): string {
  if (type !== "hardlink") return target;
  const inside = componentsOf(target, name).join("/");
  if (inside === "") throw refusedEntry(name, "is a hard link to a directory");
  return inside;
}
