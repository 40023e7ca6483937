/** Exec instances: create, start, resize, inspect. */
import type { ExecCreateBody, ExecInspect, ExecStartBody } from "../../docker-api/exec.ts";
import { openExec } from "../../engine/open-exec.ts";
import type { FoundContainer } from "../../engine/container-lookup.ts";
import type { ExecEnd, ExecProcess } from "../../runtime/extras.ts";
import { DetachFilter, defaultDetachKeys, parseDetachKeys } from "../../spec/detach-keys.ts";
import type { Call } from "../call.ts";
import type { ExecInstance } from "../exec-table.ts";
import type { RawConnection } from "../raw-connection.ts";
import { HttpError } from "../status.ts";
import { refOf, withContainer } from "./container-ref.ts";
import { sizeParams } from "./container-lifecycle.ts";
import { words } from "./create-shape.ts";
import type { DockerEngine } from "./engine.ts";
import { type OutputChunk, receiveInput, sendOutput, streamType } from "./raw-stream.ts";
import { checkShape, type Shape, strings } from "./wire-shape.ts";

const createShape: Shape = {
  fields: {
    User: "string",
    Privileged: "boolean",
    Tty: "boolean",
    ConsoleSize: { list: "integer" },
    AttachStdin: "boolean",
    AttachStderr: "boolean",
    AttachStdout: "boolean",
    DetachKeys: "string",
    Env: strings,
    WorkingDir: "string",
    Cmd: strings,
  },
};

export async function createExec(engine: DockerEngine, call: Call): Promise<void> {
  const sent = await call.json();
  const normalised = { ...sent, Cmd: words(sent["Cmd"]) };
  checkShape(normalised, createShape, "");
  const body = normalised as ExecCreateBody;
  await withContainer(engine, refOf(call), async (found) => {
    if (body.Cmd == null || body.Cmd.length === 0) throw new HttpError(400, "No exec command specified");
    parseDetachKeys(body.DetachKeys ?? "");
    await refuseStopped(engine, found);
    const instance = engine.execs.create({
      container: found,
      detachKeys: body.DetachKeys || undefined,
      options: {
        command: body.Cmd,
        env: body.Env ?? undefined,
        workingDir: body.WorkingDir || undefined,
        user: body.User || undefined,
        privileged: body.Privileged,
        tty: body.Tty,
        attachStdin: body.AttachStdin,
        attachStdout: body.AttachStdout,
        attachStderr: body.AttachStderr,
        size: consoleSize(body.ConsoleSize, body.Tty),
      },
    });
    call.answer(201, { Id: instance.id });
  });
}

function consoleSize(size: readonly number[] | null | undefined, tty: boolean | undefined): { rows: number; cols: number } | undefined {
  const [rows = 0, cols = 0] = size ?? [];
  return tty === true && rows > 0 && cols > 0 ? { rows, cols } : undefined;
}

async function refuseStopped(engine: DockerEngine, { id, hexId }: FoundContainer): Promise<void> {
  const details = await engine.runtime.inspectDetailed(id);
  const { state } = details.state ?? (await engine.runtime.containerState(id));
  if (state !== "running") throw new HttpError(409, `container ${hexId} is not running`);
  if (details.paused === true) throw new HttpError(409, `container ${hexId} is paused, unpause the container before exec`);
}

export async function startExec(engine: DockerEngine, call: Call): Promise<void> {
  const instance = engine.execs.get(refOf(call));
  const body = await call.json();
  checkShape(body, { fields: { Detach: "boolean", Tty: "boolean", ConsoleSize: { list: "integer" } } }, "");
  const { Detach: detach = false, Tty: tty, ConsoleSize: size } = body as ExecStartBody;
  if (tty !== undefined && instance.options.tty !== undefined && tty !== instance.options.tty && tty) {
    throw new HttpError(400, "the exec instance was created without a terminal");
  }
  engine.execs.begin(instance);
  const process = await open(engine, instance, consoleSize(size, instance.options.tty));
  if (detach) {
    call.empty(200);
    discard(process);
    return;
  }
  const connection = call.hijack(streamType({ tty: instance.options.tty === true, apiVersion: call.apiVersion }));
  try {
    await converse(engine, instance, process, connection);
  } finally {
    connection.end();
  }
}

async function open(engine: DockerEngine, instance: ExecInstance, size: { rows: number; cols: number } | undefined): Promise<ExecProcess> {
  const options = { ...instance.options, size: instance.size ?? size ?? instance.options.size };
  try {
    const process = await openExec(engine.runtime, instance.container.id, options);
    instance.process = process;
    instance.state = "running";
    void process.end.then((end) => engine.execs.end(instance, codeOf(end)));
    return process;
  } catch (error) {
    engine.execs.end(instance, 126);
    throw error;
  }
}

function codeOf(end: ExecEnd): number {
  return "code" in end ? end.code : 137;
}

/** Nobody reads: the output goes nowhere, and the process must not wait for a reader. */
function discard(process: ExecProcess): void {
  process.stream.on("error", () => {});
  process.stream.resume();
  process.stream.end();
}

async function converse(engine: DockerEngine, instance: ExecInstance, process: ExecProcess, connection: RawConnection): Promise<void> {
  const { tty = false, attachStdin = false, attachStdout = true, attachStderr = true } = instance.options;
  process.stream.on("error", () => {});
  const leave = (): void => void process.stream.destroy();
  connection.closed.addEventListener("abort", leave);
  engine.closing.addEventListener("abort", leave, { signal: connection.closed });
  const keys = tty ? new DetachFilter(parseDetachKeys(instance.detachKeys ?? defaultDetachKeys)) : undefined;
  const sink = {
    write: (bytes: Uint8Array) => (attachStdin ? writeTo(process, bytes) : Promise.resolve()),
    end: () => {
      if (!process.stream.destroyed) process.stream.end();
    },
    // The process goes on without its client.
    detach: () => connection.end(),
  };
  if (!attachStdin) process.stream.end();
  void receiveInput(connection, sink, keys);
  await sendOutput(connection, outputOf(process), { isRaw: tty, stdout: attachStdout || tty, stderr: attachStderr });
  await process.end;
}

export function writeTo(process: ExecProcess, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => process.stream.write(bytes, (error) => (error ? reject(error) : resolve())));
}

export async function* outputOf(process: ExecProcess): AsyncGenerator<OutputChunk> {
  if (process.output !== undefined) {
    yield* process.output;
    return;
  }
  for await (const bytes of process.stream.iterator({ destroyOnReturn: false })) yield { channel: "stdout", bytes };
}

export function resizeExec(engine: DockerEngine, call: Call): void {
  const instance = engine.execs.get(refOf(call));
  const { rows, cols } = sizeParams(call);
  if (instance.state === "ended") throw new HttpError(409, `exec instance ${instance.id} has ended`);
  instance.size = { rows, cols };
  instance.process?.resize(rows, cols);
  call.empty(200);
}

export function inspectExec(engine: DockerEngine, call: Call): void {
  const instance = engine.execs.get(refOf(call));
  const { options, container } = instance;
  const [entrypoint = "", ...rest] = options.command;
  const report: ExecInspect = {
    ID: instance.id,
    Running: instance.state === "running" || instance.state === "starting",
    ExitCode: instance.exitCode ?? null,
    ProcessConfig: {
      tty: options.tty ?? false,
      entrypoint,
      arguments: rest,
      privileged: options.privileged ?? false,
      ...(options.user === undefined ? {} : { user: options.user }),
    },
    OpenStdin: options.attachStdin ?? false,
    OpenStderr: options.attachStderr ?? false,
    OpenStdout: options.attachStdout ?? false,
    CanRemove: false,
    ContainerID: container.hexId,
    DetachKeys: instance.detachKeys ?? "",
    Pid: instance.process?.pid ?? 0,
  };
  call.answer(200, report);
}
