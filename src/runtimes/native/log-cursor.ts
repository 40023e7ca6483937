/** Where reading of a log stands: a place in one of its files, with the later ones open already so that no rotation takes them away. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { logFiles } from "./log-files.ts";
import { LineAssembler, type LogRecord, readRecord, type RecordAssembler } from "./log-record.ts";

const readBytes = 256 * 1024;
const newline = 10;

interface OpenFile {
  readonly fd: number;
  readonly inode: number;
  position: number;
}

export class LogCursor implements Disposable {
  readonly #path: string;
  readonly #assembler: RecordAssembler;
  readonly #buffer = Buffer.allocUnsafe(readBytes);
  /** The file being read, then those after it. */
  #files: OpenFile[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string, assembler: RecordAssembler = new LineAssembler()) {
    this.#path = path;
    this.#assembler = assembler;
  }

  /** From now on only what is written after this. */
  seekToEnd(): void {
    this.#openNew();
    for (const { fd } of this.#files.splice(0, this.#files.length - 1)) closeSync(fd);
    const [last] = this.#files;
    if (last !== undefined) last.position = fstatSync(last.fd).size;
  }

  /** Records that are complete by now, at most one buffer's worth; `undefined` when there is nothing new. */
  read(): LogRecord[] | undefined {
    for (;;) {
      const [file] = this.#files;
      const length = file === undefined ? 0 : readSync(file.fd, this.#buffer, 0, readBytes, file.position);
      if (file !== undefined && length > 0) {
        file.position += length;
        return this.#split(this.#buffer.subarray(0, length));
      }
      // The file after it was there before this read found nothing more: conmon is through with the one before.
      if (file !== undefined && this.#files.length > 1) {
        closeSync(file.fd);
        this.#files.shift();
      } else if (!this.#openNew()) return undefined;
    }
  }

  /** The part of a last line that never ended. */
  flush(): LogRecord[] {
    return this.#assembler.flush();
  }

  /** Opens files that came after those at hand. Call it on every change, so that a slow reader loses nothing. */
  keepUp(): void {
    this.#openNew();
  }

  #openNew(): boolean {
    const last = this.#files.at(-1);
    if (last !== undefined && statSync(this.#path, { throwIfNoEntry: false })?.ino === last.inode) return false;
    const listed = logFiles(this.#path);
    // Not among them: all that was older than the oldest is gone.
    const fresh = listed.slice(listed.findIndex(({ inode }) => inode === last?.inode) + 1);
    for (const { path, inode } of fresh) {
      const file = open(path);
      if (file?.inode === inode) {
        this.#files.push(file);
        continue;
      }
      // Renamed or removed since it was listed: the next look sees how things stand.
      if (file !== undefined) closeSync(file.fd);
      break;
    }
    return fresh.length > 0 && this.#files.at(-1) !== last;
  }

  #split(bytes: Buffer): LogRecord[] {
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const records: LogRecord[] = [];
    let start = 0;
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, start)) {
      readRecord(data.subarray(start, end), this.#assembler, records);
      start = end + 1;
    }
    this.#rest = Buffer.from(data.subarray(start));
    return records;
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#files.splice(0)) closeSync(fd);
  }
}

function open(path: string): OpenFile | undefined {
  try {
    const fd = openSync(path, "r");
    return { fd, inode: fstatSync(fd).ino, position: 0 };
  } catch {
    return undefined;
  }
}
