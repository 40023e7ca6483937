/** POST /containers/{id}/attach: the main process's terminal or pipes, raw on the connection. */
import { DetachFilter, defaultDetachKeys, parseDetachKeys } from "../../spec/detach-keys.ts";
import type { FoundContainer } from "../../engine/container-lookup.ts";
import { UnsupportedError } from "../../errors.ts";
import type { AttachHandle, ContainerInspectDetails } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { boolParam } from "../query.ts";
import type { RawConnection } from "../raw-connection.ts";
import { HttpError } from "../status.ts";
import { refOf, withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";
import { framed, type OutputChunk, receiveInput, sendOutput, streamType } from "./raw-stream.ts";

export interface AttachParams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly stream: boolean;
  readonly logs: boolean;
  readonly detachKeys: string;
}

export function attachParams(call: Call): AttachParams {
  const { query } = call;
  const params = {
    stdin: boolParam(query, "stdin"),
    stdout: boolParam(query, "stdout"),
    stderr: boolParam(query, "stderr"),
    stream: boolParam(query, "stream"),
    logs: boolParam(query, "logs"),
    detachKeys: query.get("detachKeys") || defaultDetachKeys,
  };
  if (!params.stdin && !params.stdout && !params.stderr) throw new HttpError(400, "Unsupported: at least one of stdin, stdout and stderr must be attached");
  parseDetachKeys(params.detachKeys);
  return params;
}

export async function attachContainer(engine: DockerEngine, call: Call): Promise<void> {
  const params = attachParams(call);
  // Some clients send one (docker-modem): it says nothing, and must not reach the program.
  if (call.upgrade !== undefined) await call.json();
  await attachOver(engine, call, params, async ({ tty }) => {
    return { connection: call.hijack(streamType({ tty, apiVersion: call.apiVersion })), isRaw: tty };
  });
}

/** What the client and the container talk over; `isRaw` when stdout and stderr are not marked. */
interface Line {
  readonly connection: RawConnection;
  readonly isRaw: boolean;
}

export async function attachOver(
  engine: DockerEngine,
  call: Call,
  params: AttachParams,
  answer: (o: { readonly tty: boolean }) => Promise<Line>,
): Promise<void> {
  await withContainer(engine, refOf(call), async (found) => {
    const details = await engine.runtime.inspectDetailed(found.id);
    const tty = details.tty === true;
    const handle = params.stream ? await openAttach(engine, found, details, params) : undefined;
    let line: Line | undefined;
    try {
      line = await answer({ tty });
      await converse(engine, found, { params, handle, tty, ...line });
    } finally {
      handle?.close();
      line?.connection.end();
    }
  });
}

/** Opened before the answer: the client starts the container once it has the header, and no output may be missed. */
async function openAttach(
  engine: DockerEngine,
  { id, hexId }: FoundContainer,
  details: ContainerInspectDetails,
  params: Pick<AttachParams, "stdin">,
): Promise<AttachHandle> {
  const { attachContainer: attach } = engine.runtime.extras ?? {};
  if (attach === undefined) throw new UnsupportedError("attachContainer", engine.runtime.backend, "it has no access to the main process's streams");
  if (details.paused === true) throw new HttpError(409, `container ${hexId} is paused, unpause the container before attach`);
  return attach(id, { stdin: params.stdin });
}

interface Conversation extends Line {
  readonly params: AttachParams;
  readonly handle: AttachHandle | undefined;
  readonly tty: boolean;
}

async function converse(engine: DockerEngine, { id, hexId }: FoundContainer, o: Conversation): Promise<void> {
  const { params, handle, connection, tty, isRaw } = o;
  if (params.logs) await replay(engine, id, o);
  if (handle === undefined) {
    void receiveInput(connection, { write: async () => {}, end: () => {}, detach: () => {} }, undefined);
    return;
  }
  if (connection.closed.aborted) return;
  connection.closed.addEventListener("abort", () => handle.close());
  engine.closing.addEventListener("abort", () => handle.close(), { signal: connection.closed });
  // Where nobody said how it was made, a client that is done with its input ends the container's.
  const request = engine.requests.get(hexId);
  const closesStdin = request === undefined || request.StdinOnce === true;
  const keys = tty ? new DetachFilter(parseDetachKeys(params.detachKeys)) : undefined;
  const sink = {
    write: (bytes: Uint8Array) => (params.stdin ? handle.write(bytes) : Promise.resolve()),
    end: () => {
      if (params.stdin && closesStdin) handle.endStdin();
    },
    detach: () => handle.close(),
  };
  void receiveInput(connection, sink, keys);
  await sendOutput(connection, handle.output, { isRaw, stdout: params.stdout || tty, stderr: params.stderr });
}

async function replay(engine: DockerEngine, id: FoundContainer["id"], { params, connection, isRaw }: Conversation): Promise<void> {
  const lines = await engine.runtime.logsStream(id, { stdout: params.stdout, stderr: params.stderr });
  for await (const { stream, bytes } of lines) {
    if (connection.closed.aborted) return;
    const chunk: OutputChunk = { channel: stream === "stderr" ? "stderr" : "stdout", bytes };
    const wait = connection.write(isRaw ? chunk.bytes : framed(chunk.channel, chunk.bytes));
    if (wait !== undefined) await wait;
  }
}
