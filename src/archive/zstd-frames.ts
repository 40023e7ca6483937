/**
 * Where the frames of a zstd stream begin and end (RFC 8878 section 3). Node's decompressor stops at the end of the first
 * frame unless what it is given next begins with one; parallel compressors and zstd:chunked layers write many, and put
 * skippable ones between them.
 */
import { malformed } from "./tar-header.ts";

const frameMagic = 0xfd2fb528;
const skippableMagic = 0x184d2a50;

export function isZstd(start: Buffer): boolean {
  const magic = start.length >= 4 ? start.readUInt32LE(0) : 0;
  return magic === frameMagic || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === skippableMagic;
}

/** The same bytes cut so that no chunk holds parts of two frames, without skippable frames. Throws `pull_failed`. */
export async function* zstdFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const walker = new FrameWalker();
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const { used, keep } = walker.take(chunk, at);
      if (keep !== undefined) yield keep;
      at += used;
    }
  }
  if (!walker.isBetweenFrames) throw malformed("broken compression: the zstd data is truncated");
}

type Part = "magic" | "descriptor" | "header" | "block" | "content" | "checksum" | "skipSize" | "skip";

class FrameWalker {
  #part: Part = "magic";
  /** Bytes of the part still to come. */
  #missing = 4;
  /** Values of the small parts, least byte first. */
  #value = 0;
  #valueBytes = 0;
  #hasChecksum = false;
  #isLast = false;
  /** The magic number may be cut in two by the chunks; it is given out in one piece. */
  readonly #magic = Buffer.alloc(4);

  get isBetweenFrames(): boolean {
    return this.#part === "magic" && this.#missing === 4;
  }

  /** Takes bytes up to the end of the frame or of the chunk. */
  take(chunk: Buffer, start: number): { readonly used: number; readonly keep: Buffer | undefined } {
    if (this.#part === "magic") return this.#takeMagic(chunk, start);
    const isKept = this.#part !== "skipSize" && this.#part !== "skip";
    let at = start;
    while (at < chunk.length && !this.isBetweenFrames) at += this.#advance(chunk, at);
    return { used: at - start, keep: isKept ? chunk.subarray(start, at) : undefined };
  }

  #takeMagic(chunk: Buffer, start: number): { readonly used: number; readonly keep: Buffer | undefined } {
    const used = chunk.copy(this.#magic, 4 - this.#missing, start, start + this.#missing);
    this.#missing -= used;
    if (this.#missing > 0) return { used, keep: undefined };
    const magic = this.#magic.readUInt32LE(0);
    if (isSkippable(magic)) this.#expect("skipSize", 4);
    else if (magic === frameMagic) this.#expect("descriptor", 1);
    else throw malformed("broken compression: data after the end of a zstd frame is no frame");
    return { used, keep: magic === frameMagic ? this.#magic : undefined };
  }

  #advance(chunk: Buffer, at: number): number {
    if (this.#part === "content" || this.#part === "skip") {
      const used = Math.min(this.#missing, chunk.length - at);
      this.#missing -= used;
      if (this.#missing === 0) this.#endPart();
      return used;
    }
    this.#value += (chunk[at] ?? 0) * 256 ** this.#valueBytes++;
    if (--this.#missing === 0) this.#endPart();
    return 1;
  }

  #endPart(): void {
    const value = this.#value;
    switch (this.#part) {
      case "descriptor":
        this.#hasChecksum = (value & 4) !== 0;
        return this.#expect("header", headerBytes(value), "block", 3);
      case "header":
        return this.#expect("block", 3);
      case "block":
        return this.#beginBlock(value);
      case "content":
        return this.#endBlock();
      case "skipSize":
        return this.#expect("skip", value, "magic", 4);
      default:
        return this.#expect("magic", 4);
    }
  }

  #beginBlock(header: number): void {
    this.#isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === 3) throw malformed("broken compression: a zstd block of a reserved type");
    const isRepeatedByte = type === 1;
    const bytes = isRepeatedByte ? 1 : header >> 3;
    if (bytes === 0) this.#endBlock();
    else this.#expect("content", bytes);
  }

  #endBlock(): void {
    if (!this.#isLast) this.#expect("block", 3);
    else if (this.#hasChecksum) this.#expect("checksum", 4);
    else this.#expect("magic", 4);
  }

  /** A part of no bytes is over at once, and the other one follows. */
  #expect(part: Part, bytes: number, other: Part = part, otherBytes: number = bytes): void {
    [this.#part, this.#missing] = bytes > 0 ? [part, bytes] : [other, otherBytes];
    this.#value = 0;
    this.#valueBytes = 0;
  }
}

/** Window, dictionary id and content size, as the frame header descriptor says. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  return (isSingleSegment ? 0 : 1) + dictionary + contentSize;
}
