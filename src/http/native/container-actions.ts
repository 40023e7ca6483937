/** `/api/v1/containers/{id}/…`: what is done with one container. Several answer in Docker's shapes. */
import { z } from "zod";
import { startOrDiscard } from "../../engine/start-container.ts";
import { UnsupportedError } from "../../errors.ts";
import type { AttachHandle } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { readBytes } from "../json-body.ts";
import { exportContainer, getArchive, headArchive, putArchive } from "../docker/container-archive.ts";
import { withContainer } from "../docker/container-ref.ts";
import * as lifecycle from "../docker/container-lifecycle.ts";
import { containerChanges, containerPorts, topContainer } from "../docker/container-observe.ts";
import { waitContainer } from "../docker/container-wait.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { containerLogs } from "./container-logs.ts";
import { containerStats } from "./container-stats.ts";
import { flag, wholeNumber } from "./schemas.ts";

const tag = "containers";
const stopBody = z.strictObject({ timeout: z.number().optional() });
const defaultStopSeconds = 30;

export function containerActionRoutes(engine: NativeEngine): readonly NativeRoute[] {
  /** A change with an empty answer, by the handler Docker's route has. */
  const change = (name: string, summary: string, handle: (engine: NativeEngine, call: Call) => Promise<void>, status = 204): NativeRoute =>
    route({ method: "POST", path: `/containers/:id/${name}`, summary, tag, role: "operator", answer: { status }, handle: (call) => handle(engine, call) });
  const look = (name: string, summary: string, handle: (engine: NativeEngine, call: Call) => Promise<void>): NativeRoute =>
    route({
      method: "GET",
      path: `/containers/:id/${name}`,
      summary,
      tag,
      role: "reader",
      answer: { status: 200, schema: z.unknown() },
      handle: (call) => handle(engine, call),
    });
  return [
    look("top", "Processes inside", topContainer),
    look("changes", "Files that differ from the image", containerChanges),
    look("port", "Published ports", containerPorts),
    look("archive", "Files as a tar", getArchive),
    route({
      method: "HEAD",
      path: "/containers/:id/archive",
      summary: "What a path is",
      tag,
      role: "reader",
      answer: { status: 200 },
      handle: (call) => headArchive(engine, call),
    }),
    route({
      method: "PUT",
      path: "/containers/:id/archive",
      summary: "Unpack a tar inside",
      tag,
      role: "operator",
      bodyType: "application/x-tar",
      answer: { status: 200 },
      handle: (call) => putArchive(engine, call),
    }),
    route({
      method: "GET",
      path: "/container-export/:id",
      summary: "The whole root file system as a tar",
      tag,
      role: "reader",
      answer: { status: 200, contentType: "application/x-tar" },
      handle: (call) => exportContainer(engine, call),
    }),
    change("pause", "Freeze", lifecycle.pauseContainer),
    change("unpause", "Thaw", lifecycle.unpauseContainer),
    change("rename", "Change the name", lifecycle.renameContainer),
    change("update", "Change limits and restart policy", lifecycle.updateContainer, 200),
    change("resize", "Size of the main process's terminal", lifecycle.resizeContainer, 200),
    change("wait", "Wait, in Docker's shape", waitContainer, 200),
    route({
      method: "POST",
      path: "/containers/prune",
      summary: "Remove stopped containers",
      tag,
      role: "operator",
      answer: { status: 200, schema: z.object({ ContainersDeleted: z.array(z.string()).nullable(), SpaceReclaimed: z.number() }) },
      handle: (call) => lifecycle.pruneContainers(engine, call),
    }),
    ...runRoutes(engine),
    ...streamRoutes(engine),
    ...stdinRoutes(engine),
  ];
}

function runRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const { runtime } = engine;
  const act = <Body>(
    name: string,
    summary: string,
    body: z.ZodType<Body> | undefined,
    work: (id: Parameters<typeof runtime.startContainer>[0], body: Body) => Promise<void>,
  ): NativeRoute =>
    route({
      method: "POST",
      path: `/containers/:id/${name}`,
      summary,
      tag,
      role: "operator",
      body,
      answer: { status: 204 },
      handle: (call, input) =>
        withContainer(engine, call.param("id"), async ({ id }) => {
          await work(id, input.body);
          call.empty(204);
        }),
    });
  const milliseconds = (body: { timeout?: number | undefined }): number => (body.timeout ?? defaultStopSeconds) * 1000;
  return [
    act("start", "Start", undefined, (id) => startOrDiscard(runtime, id)),
    act("stop", "Stop; SIGKILL after `timeout` seconds", stopBody, (id, body) => runtime.stopContainer(id, milliseconds(body))),
    act("restart", "Stop and start", stopBody, async (id, body) => {
      await runtime.stopContainer(id, milliseconds(body));
      await startOrDiscard(runtime, id);
    }),
    act("kill", "Send a signal", z.strictObject({ signal: z.string().optional() }), (id, body) => runtime.killContainer(id, body.signal)),
    route({
      method: "GET",
      path: "/containers/:id/wait",
      summary: "Wait for the end",
      tag,
      role: "reader",
      answer: {
        status: 200,
        schema: z.object({ id: z.string(), exit_code: z.int(), reason: z.string(), signal: z.string().optional(), finished_at: z.string().optional() }),
      },
      handle: (call) =>
        withContainer(engine, call.param("id"), async ({ id, hexId }) => {
          const outcome = await runtime.waitOutcome(id, { signal: AbortSignal.any([call.signal, engine.closing]) });
          const { exitCode, reason, signal, finishedAt } = outcome;
          call.answer(200, { id: hexId, exit_code: exitCode, reason, signal, finished_at: finishedAt?.toISOString() });
        }),
    }),
  ];
}

function streamRoutes(engine: NativeEngine): readonly NativeRoute[] {
  return [
    route({
      method: "GET",
      path: "/containers/:id/logs",
      summary: "The log; `format` json has one object a line",
      tag,
      role: "reader",
      query: z.object({
        tail: wholeNumber,
        follow: flag,
        since: z.string().optional(),
        until: z.string().optional(),
        timestamps: flag,
        stdout: flag,
        stderr: flag,
        format: z.enum(["json", "raw"]).optional(),
      }),
      answer: {
        status: 200,
        contentType: "application/x-ndjson",
        schema: z.object({ stream: z.string(), timestamp: z.string().optional(), data: z.string() }),
      },
      handle: (call, { query }) => containerLogs(engine, call, query),
    }),
    route({
      method: "GET",
      path: "/containers/:id/stats",
      summary: "One record; with `stream` one sample a line",
      tag,
      role: "reader",
      query: z.object({ stream: flag }),
      answer: {
        status: 200,
        schema: z.object({
          id: z.string(),
          cpu_usage_usec: z.number(),
          memory_bytes: z.number(),
          memory_limit: z.number().optional(),
          memory_percent: z.number(),
        }),
      },
      handle: (call, { query }) => containerStats(engine, call, query.stream === true),
    }),
  ];
}

/** Handles that write to a main process's stdin, between one chunk and the next. */
function stdinRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const handles = new Map<string, AttachHandle>();
  const open = async (ref: string): Promise<{ hexId: string; handle: AttachHandle }> =>
    withContainer(engine, ref, async ({ id, hexId }) => {
      const known = handles.get(hexId);
      if (known !== undefined) return { hexId, handle: known };
      const { attachContainer: attach } = engine.runtime.extras ?? {};
      if (attach === undefined) throw new UnsupportedError("attachContainer", engine.runtime.backend, "it has no access to the main process's input");
      const handle = await attach(id, { stdin: true });
      handles.set(hexId, handle);
      void drain(handle).finally(() => handles.delete(hexId));
      return { hexId, handle };
    });
  return [
    route({
      method: "POST",
      path: "/containers/:id/stdin",
      summary: "Write to the main process's stdin",
      tag,
      role: "operator",
      bodyType: "application/octet-stream",
      answer: { status: 204 },
      handle: async (call) => {
        const bytes = await readBytes(call.body, undefined);
        await (await open(call.param("id"))).handle.write(bytes);
        call.empty(204);
      },
    }),
    route({
      method: "DELETE",
      path: "/containers/:id/stdin",
      summary: "End the main process's stdin",
      tag,
      role: "operator",
      answer: { status: 204 },
      handle: async (call) => {
        (await open(call.param("id"))).handle.endStdin();
        call.empty(204);
      },
    }),
  ];
}

/** Nobody reads here: the log has it. */
async function drain(handle: AttachHandle): Promise<void> {
  for await (const _ of handle.output);
}
