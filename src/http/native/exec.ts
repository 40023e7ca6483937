/** `/api/v1/exec` and the exec routes of a container. */
import { z } from "zod";
import { openExec } from "../../engine/open-exec.ts";
import { BerthError, messageOf } from "../../errors.ts";
import type { ExecProcess } from "../../runtime/extras.ts";
import { isRecord } from "../../spec/descriptor.ts";
import type { Call } from "../call.ts";
import type { ExecInstance } from "../exec-table.ts";
import { parseJsonText } from "../json-body.ts";
import { openWebSocket, type WebSocketConnection } from "../web-socket.ts";
import { withContainer } from "../docker/container-ref.ts";
import { outputOf, writeTo } from "../docker/exec.ts";
import { receiveInput, sendOutput } from "../docker/raw-stream.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { execRequest, execSyncRequest, flag } from "./schemas.ts";

export function execRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "exec";
  return [
    route({
      method: "POST",
      path: "/containers/:id/exec",
      summary: "Create an exec instance",
      tag,
      role: "operator",
      body: execRequest,
      answer: { status: 201, schema: z.object({ id: z.string() }) },
      handle: (call, { body }) =>
        withContainer(engine, call.param("id"), async (container) => {
          const { state } = await engine.runtime.containerState(container.id);
          if (state !== "running") throw new BerthError("conflict", `container ${container.hexId} is not running`);
          const { command, env, working_dir: workingDir, user, privileged, tty, attach_stdin: attachStdin } = body;
          const options = { command, env, workingDir, user, privileged, tty, attachStdin, attachStdout: true, attachStderr: true };
          call.answer(201, { id: engine.execs.create({ container, options, detachKeys: undefined }).id });
        }),
    }),
    route({
      method: "POST",
      path: "/containers/:id/exec_sync",
      summary: "Run to the end; with `stream` as server-sent events",
      tag,
      role: "operator",
      query: z.object({ stream: flag }),
      body: execSyncRequest,
      answer: { status: 200, schema: z.object({ exit_code: z.int(), stdout: z.string(), stderr: z.string() }) },
      handle: (call, { query, body }) =>
        withContainer(engine, call.param("id"), async ({ id }) => {
          const options = { user: body.user, workingDir: body.working_dir, env: body.env, signal: call.signal };
          if (query.stream === true) return sendEvents(call, await engine.runtime.execStream(id, body.command, options));
          const { exitCode, stdout, stderr } = await engine.runtime.exec(id, body.command, options);
          return call.answer(200, { exit_code: exitCode, stdout, stderr });
        }),
    }),
    route({
      method: "GET",
      path: "/exec/:id/start",
      summary:
        'Start over a WebSocket: binary frames are stdin and output; text frames resize, {"resize":{"rows","cols"}}, and end stdin, ' +
        '{"close_stdin":true}; the close reason is the exit code',
      tag,
      role: "operator",
      answer: { status: 101 },
      upgrades: ["websocket"],
      handle: (call) => startOverWebSocket(engine, call),
    }),
    route({
      method: "POST",
      path: "/exec/:id/resize",
      summary: "Size of the terminal",
      tag,
      role: "operator",
      body: z.strictObject({ rows: z.int().min(0).max(65_535), cols: z.int().min(0).max(65_535) }),
      answer: { status: 204 },
      handle: (call, { body }) => {
        const instance = engine.execs.get(call.param("id"));
        instance.size = body;
        instance.process?.resize(body.rows, body.cols);
        call.empty(204);
      },
    }),
    route({
      method: "GET",
      path: "/exec/:id/json",
      summary: "State of an exec instance",
      tag,
      role: "reader",
      answer: {
        status: 200,
        schema: z.object({
          id: z.string(),
          running: z.boolean(),
          exit_code: z.int().optional(),
          pid: z.int().optional(),
          container_id: z.string(),
          config: z.unknown(),
        }),
      },
      handle: (call) => {
        const instance = engine.execs.get(call.param("id"));
        const { options, container, exitCode, process } = instance;
        const config = { command: options.command, user: options.user, working_dir: options.workingDir, tty: options.tty, env: options.env };
        call.answer(200, { id: instance.id, running: isRunning(instance), exit_code: exitCode, pid: process?.pid, container_id: container.hexId, config });
      },
    }),
  ];
}

function isRunning({ state }: ExecInstance): boolean {
  return state === "running" || state === "starting";
}

async function sendEvents(call: Call, events: AsyncIterable<{ kind: string; data?: string; code?: number }>): Promise<void> {
  call.begin(200, "text/event-stream");
  for await (const { kind, data, code } of events) {
    const wait = call.write(`event: ${kind}\ndata: ${JSON.stringify(kind === "exit" ? { exit_code: code } : { data })}\n\n`);
    if (wait !== undefined) await wait;
  }
  call.end();
}

async function startOverWebSocket(engine: NativeEngine, call: Call): Promise<void> {
  const instance = engine.execs.get(call.param("id"));
  engine.execs.begin(instance);
  let process: ExecProcess | undefined;
  const connection = await openWebSocket(call, (text) => obey(process, text)).catch((error: unknown) => {
    instance.state = "created";
    throw error;
  });
  try {
    process = await openExec(engine.runtime, instance.container.id, { ...instance.options, size: instance.size });
    instance.process = process;
    instance.state = "running";
    await converse(engine, instance, process, connection);
    const end = await process.end;
    const code = "code" in end ? end.code : 137;
    engine.execs.end(instance, code);
    connection.close(1000, String(code));
  } catch (error) {
    engine.execs.end(instance, 126);
    connection.close(1011, messageOf(error));
  }
}

async function converse(engine: NativeEngine, instance: ExecInstance, process: ExecProcess, connection: WebSocketConnection): Promise<void> {
  const { stream } = process;
  const takesInput = instance.options.attachStdin === true;
  stream.on("error", () => {});
  const leave = (): void => void stream.destroy();
  if (connection.closed.aborted) leave();
  connection.closed.addEventListener("abort", leave);
  engine.closing.addEventListener("abort", leave, { signal: connection.closed });
  if (!takesInput) stream.end();
  const sink = { write: (bytes: Uint8Array) => (takesInput ? writeTo(process, bytes) : Promise.resolve()), end: leave, detach: leave };
  void receiveInput(connection, sink, undefined);
  await sendOutput(connection, outputOf(process), { isRaw: true, stdout: true, stderr: true });
}

/** `{"resize":{"rows","cols"}}` and `{"close_stdin":true}`; anything else is passed over. */
function obey(process: ExecProcess | undefined, text: string): void {
  try {
    const message = parseJsonText(text);
    if (!isRecord(message)) return;
    const size = message["resize"];
    if (isRecord(size) && isSide(size["rows"]) && isSide(size["cols"])) process?.resize(size["rows"], size["cols"]);
    if (message["close_stdin"] === true) process?.stream.end();
  } catch {
    // Not a message of ours.
  }
}

function isSide(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 65_535;
}
