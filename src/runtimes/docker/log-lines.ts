/** A log as the engine sends it with timestamps: entries, each with the time it was written. */
import { wholeFrames } from "../../docker-api/multiplexed-stream.ts";
import { BerthError } from "../../errors.ts";

export interface EngineLogEntry {
  readonly stream: "stdout" | "stderr";
  /** A line with its newline, or a piece of one. */
  readonly bytes: Uint8Array;
  /** As the engine wrote it, with nanoseconds: `2026-01-02T03:04:05.000000006Z`. */
  readonly time: string;
}

const newline = 0x0a;
const space = 0x20;
/** Longer than any RFC 3339 time with nanoseconds and zone. */
const maxTimeBytes = 40;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
/** What engines cut long lines at. */
const pieceBytes = 16 * 1024;

/** Frames of a container without a terminal: one entry each. As many at once as the engine sent. */
export async function* framedEntries(body: AsyncIterable<Uint8Array>): AsyncGenerator<readonly EngineLogEntry[]> {
  for await (const frames of wholeFrames(body)) {
    const entries: EngineLogEntry[] = [];
    for (const { channel, bytes } of frames) {
      if (channel === "system") {
        yield entries;
        throw new BerthError("internal", `the engine's log broke off: ${Buffer.from(bytes).toString().trim()}`);
      }
      if (channel !== "stdin") entries.push({ stream: channel, ...splitTime(bytes) });
    }
    yield entries;
  }
}

/**
 * Podman tells a line in two pieces where a buffer ended in it: they are put together. What is still open when the body ends is
 * a line without an end; `keepOpen` leaves it out, for a reader who will ask for the rest of the log and be told it again.
 */
export async function* joined(source: AsyncIterable<readonly EngineLogEntry[]>, o: { readonly keepOpen: boolean }): AsyncGenerator<readonly EngineLogEntry[]> {
  const open = new Map<EngineLogEntry["stream"], EngineLogEntry>();
  for await (const entries of source) yield entries.flatMap((entry) => completed(open, entry));
  if (!o.keepOpen) yield [...open.values()];
}

/** What is whole by this entry; the rest of it stays open. */
function completed(open: Map<EngineLogEntry["stream"], EngineLogEntry>, entry: EngineLogEntry): readonly EngineLogEntry[] {
  const before = open.get(entry.stream);
  const { bytes, ...line } = before === undefined ? entry : { ...before, bytes: Buffer.concat([before.bytes, entry.bytes]) };
  open.delete(entry.stream);
  const pieces: EngineLogEntry[] = [];
  for (let from = 0; from < bytes.length; from += pieceBytes) pieces.push({ ...line, bytes: bytes.subarray(from, from + pieceBytes) });
  const last = pieces.at(-1);
  if (last === undefined || last.bytes.at(-1) === newline || last.bytes.length === pieceBytes) return pieces;
  open.set(entry.stream, last);
  return pieces.slice(0, -1);
}

/** A terminal's log has no frames: entries end with their newline, or at the length at which engines cut. */
export async function* terminalEntries(body: AsyncIterable<Uint8Array>): AsyncGenerator<readonly EngineLogEntry[]> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of body) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const entries: EngineLogEntry[] = [];
    for (let entry = firstEntry(rest); entry !== undefined; entry = firstEntry(rest)) {
      entries.push({ stream: "stdout", ...splitTime(rest.subarray(0, entry)) });
      rest = rest.subarray(entry);
    }
    yield entries;
  }
  if (rest.length > 0) yield [{ stream: "stdout", ...splitTime(rest) }];
}

/** Length of the first complete entry. A piece without newline is complete when the time of the next one follows it. */
function firstEntry(bytes: Uint8Array): number | undefined {
  const end = bytes.indexOf(newline);
  const head = bytes.indexOf(space) + 1;
  const cut = head + pieceBytes;
  if (head > 0 && (end < 0 || end >= cut) && bytes.length >= cut + maxTimeBytes && timeAt(bytes, cut) !== undefined) return cut;
  return end < 0 ? undefined : end + 1;
}

function splitTime(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly time: string } {
  const time = timeAt(bytes, 0);
  if (time === undefined) throw new BerthError("internal", "the engine's log has an entry without its time");
  return { bytes: bytes.subarray(time.length + 1), time };
}

function timeAt(bytes: Uint8Array, at: number): string | undefined {
  const end = bytes.indexOf(space, at);
  if (end < 0 || end - at > maxTimeBytes) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString("latin1");
  return timePattern.test(text) ? text : undefined;
}

/** What the engine takes as `since`: seconds and nanoseconds, exactly. */
export function engineTime(time: string): string {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? "";
  const seconds = Math.floor(Date.parse(time) / 1000);
  return `${seconds}.${fraction.padEnd(9, "0").slice(0, 9)}`;
}
