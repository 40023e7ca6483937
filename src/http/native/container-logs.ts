import type { LogChunk } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { timeParam } from "../query.ts";
import { withContainer } from "../docker/container-ref.ts";
import type { NativeEngine } from "./engine.ts";

export interface LogsQuery {
  readonly tail?: number | undefined;
  readonly follow?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
  readonly stdout?: boolean | undefined;
  readonly stderr?: boolean | undefined;
  readonly format?: "json" | "raw" | undefined;
}

const defaultTail = 100;

/** `tail` 0 means everything (contract A-4). */
export async function containerLogs(engine: NativeEngine, call: Call, query: LogsQuery): Promise<void> {
  const tail = query.tail ?? defaultTail;
  await withContainer(engine, call.param("id"), async ({ id }) => {
    const signal = AbortSignal.any([call.signal, engine.closing]);
    const lines = await engine.runtime.logsStream(
      id,
      {
        tail: tail === 0 ? undefined : tail,
        follow: query.follow,
        since: timeParam(call.query, "since"),
        until: timeParam(call.query, "until"),
        timestamps: query.timestamps,
        stdout: query.stdout,
        stderr: query.stderr,
      },
      { signal },
    );
    const raw = query.format === "raw";
    call.begin(200, raw ? "application/octet-stream" : "application/x-ndjson");
    try {
      for await (const line of lines) {
        const wait = call.write(raw ? line.bytes : `${JSON.stringify(logLine(line))}\n`);
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    call.end();
  });
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** A line that is no UTF-8 comes as base64. */
function logLine({ stream, timestamp, bytes }: LogChunk): object {
  const head = { stream, ...(timestamp === undefined ? {} : { timestamp: timestamp.toISOString() }) };
  try {
    return { ...head, data: strict.decode(bytes) };
  } catch {
    return { ...head, data_b64: Buffer.from(bytes).toString("base64") };
  }
}
