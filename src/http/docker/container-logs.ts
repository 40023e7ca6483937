/** GET /containers/{id}/logs */
import { frameHeader } from "../../docker-api/multiplexed-stream.ts";
import type { ContainerInspectDetails, LogChunk, LogsStreamOptions } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { boolParam, timeParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { refOf, withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";
import { streamType } from "./raw-stream.ts";
import { rfc3339Nano } from "./times.ts";

/** Lines that are there already leave together: a write for each would cost more than the line. */
const batchBytes = 64 * 1024;

export async function containerLogs(engine: DockerEngine, call: Call): Promise<void> {
  const options = logsOptions(call);
  await withContainer(engine, refOf(call), async ({ id }) => {
    const details = await engine.runtime.inspectDetailed(id);
    const signal = AbortSignal.any([call.signal, engine.closing]);
    const lines = await engine.runtime.logsStream(id, options, { signal });
    const tty = details.tty === true;
    call.begin(200, streamType({ tty, apiVersion: call.apiVersion }));
    try {
      await sendLines(call, lines, { tty, prefix: prefixOf(call, options, details) });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    call.end();
  });
}

function logsOptions(call: Call): LogsStreamOptions {
  const { query } = call;
  const [stdout, stderr] = [boolParam(query, "stdout"), boolParam(query, "stderr")];
  if (!stdout && !stderr) throw new HttpError(400, "Bad parameters: you must choose at least one stream");
  const until = timeParam(query, "until");
  return {
    follow: boolParam(query, "follow"),
    tail: tailOf(query.get("tail")),
    since: timeParam(query, "since") || undefined,
    until: until === 0 ? undefined : until,
    timestamps: boolParam(query, "timestamps"),
    stdout,
    stderr,
  };
}

/** Anything that is no number means everything, as with Docker. */
function tailOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** Timestamp and, with `details`, the labels the log options name. */
function prefixOf(call: Call, options: LogsStreamOptions, details: ContainerInspectDetails): ((line: LogChunk) => string) | undefined {
  const labels = boolParam(call.query, "details") ? `${new URLSearchParams(details.labels ?? {}).toString().replaceAll("&", ",")} ` : "";
  if (options.timestamps !== true && labels === "") return undefined;
  return ({ timestamp }) => `${timestamp === undefined ? "" : `${rfc3339Nano(timestamp)} `}${labels}`;
}

interface LineOptions {
  readonly tty: boolean;
  readonly prefix: ((line: LogChunk) => string) | undefined;
}

async function sendLines(call: Call, lines: AsyncIterable<LogChunk>, o: LineOptions): Promise<void> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  let isScheduled = false;
  const flush = (): Promise<void> | undefined => {
    isScheduled = false;
    if (bytes === 0) return undefined;
    const whole = batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch, bytes);
    batch = [];
    bytes = 0;
    return call.write(whole);
  };
  for await (const line of lines) {
    for (const piece of piecesOf(line, o)) {
      batch.push(piece);
      bytes += piece.length;
    }
    if (bytes >= batchBytes) {
      const wait = flush();
      if (wait !== undefined) await wait;
    } else if (!isScheduled) {
      isScheduled = true;
      // Runs when the source has nothing more at hand.
      setImmediate(flush);
    }
  }
  await flush();
}

function piecesOf(line: LogChunk, { tty, prefix }: LineOptions): readonly Uint8Array[] {
  const head = prefix === undefined ? undefined : Buffer.from(prefix(line));
  if (tty) return head === undefined ? [line.bytes] : [head, line.bytes];
  const header = frameHeader(line.stream === "stderr" ? "stderr" : "stdout", line.bytes.length + (head?.length ?? 0));
  return head === undefined ? [header, line.bytes] : [header, head, line.bytes];
}
