/**
 * What conmon writes (`k8s-file`): one record a line, `<RFC 3339 time> <stdout|stderr> <F|P> <bytes>`. A record tagged `P` lacks
 * its newline; the next record of the same stream goes on where it stopped.
 */

const maxChunkBytes = 16 * 1024;
const [newline, space, partialTag] = [10, 32, 80];

export interface LogRecord {
  readonly timestamp: Date;
  /** With nanoseconds, for comparing against `since` and `until`. */
  readonly seconds: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** Makes of records what a reader wants. */
export interface RecordAssembler {
  push(record: LogRecord, isPartial: boolean, into: LogRecord[]): void;
  /** What never got its newline. */
  flush(): LogRecord[];
}

/** Joins partial records into lines and splits lines that are longer than 16 KiB. */
export class LineAssembler implements RecordAssembler {
  readonly #pending = new Map<"stdout" | "stderr", { first: LogRecord; parts: Uint8Array[]; length: number }>();

  push(record: LogRecord, isPartial: boolean, into: LogRecord[]): void {
    const before = this.#pending.size === 0 ? undefined : this.#pending.get(record.stream);
    if (before === undefined && !isPartial && record.bytes.length < maxChunkBytes) {
      into.push({ ...record, bytes: withNewline([record.bytes], record.bytes.length) });
      return;
    }
    const line = before ?? { first: record, parts: [], length: 0 };
    line.parts.push(record.bytes);
    line.length += record.bytes.length;
    if (!isPartial) {
      this.#pending.delete(record.stream);
      into.push(...chunks(line.first, withNewline(line.parts, line.length)));
    } else if (line.length >= maxChunkBytes) {
      const bytes = Buffer.concat(line.parts, line.length);
      const whole = line.length - (line.length % maxChunkBytes);
      into.push(...chunks(line.first, bytes.subarray(0, whole)));
      const rest = bytes.subarray(whole);
      this.#pending.set(record.stream, { first: record, parts: [rest], length: rest.length });
    } else {
      this.#pending.set(record.stream, line);
    }
  }

  flush(): LogRecord[] {
    const left = [...this.#pending.values()].filter(({ length }) => length > 0);
    this.#pending.clear();
    return left.flatMap((line) => [...chunks(line.first, Buffer.concat(line.parts, line.length))]);
  }
}

/** The bytes as the program wrote them, each piece as soon as it is there. */
export class PieceAssembler implements RecordAssembler {
  push(record: LogRecord, isPartial: boolean, into: LogRecord[]): void {
    into.push(isPartial ? record : { ...record, bytes: withNewline([record.bytes], record.bytes.length) });
  }

  flush(): LogRecord[] {
    return [];
  }
}

function withNewline(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length + 1);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  bytes[length] = newline;
  return bytes;
}

function* chunks(record: LogRecord, bytes: Uint8Array): Generator<LogRecord> {
  for (let offset = 0; offset < bytes.length; offset += maxChunkBytes) {
    yield { ...record, bytes: bytes.subarray(offset, offset + maxChunkBytes) };
  }
}

/** Reads one record without its newline into `into`; a line that conmon did not write is passed over. */
export function readRecord(line: Buffer, assembler: RecordAssembler, into: LogRecord[]): void {
  const afterTime = line.indexOf(space);
  const afterStream = line.indexOf(space, afterTime + 1);
  if (afterTime < 0 || afterStream < 0) return;
  const stream = line.toString("latin1", afterTime + 1, afterStream);
  if (stream !== "stdout" && stream !== "stderr") return;
  const time = parseTime(line.toString("latin1", 0, afterTime));
  // A copy: the read buffer is used again while the consumer holds this record.
  const bytes = Uint8Array.prototype.slice.call(line, afterStream + 3);
  assembler.push({ ...time, stream, bytes }, line[afterStream + 1] === partialTag, into);
}

let lastSecondText = "";
let lastSecond = 0;

/** Consecutive records mostly share their second: parsing it once is what makes reading a long log fast. */
function parseTime(text: string): { timestamp: Date; seconds: number } {
  const secondText = text.slice(0, 19) + text.slice(29);
  if (secondText !== lastSecondText) {
    lastSecond = Date.parse(secondText) / 1000;
    lastSecondText = secondText;
  }
  const nanoseconds = Number(text.slice(20, 29));
  const seconds = lastSecond + nanoseconds / 1e9;
  return { timestamp: new Date(lastSecond * 1000 + nanoseconds / 1e6), seconds };
}
