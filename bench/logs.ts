/** The contests of logs: written by the gigabyte, read back by the million lines, followed as they come. */
import type { IncomingMessage } from "node:http";
import { standaloneId } from "berth";
import { overSocket } from "./api.ts";
import type { Sides } from "./contests.ts";
import { dockerCreate, dockerRemove, dockerStart, dockerWait } from "./docker-work.ts";
import { flooding, lineBytes } from "./floods.ts";
import { pssByName, treeRss, watchPeakOf } from "./memory.ts";
import type { Stage } from "./stage.ts";
import { elapsed, timed } from "./timing.ts";

const lines = 1_000_000;

/** Berth as a library, line by line; dockerd as a stream of frames that nobody takes apart. */
export async function readBack(stage: Stage): Promise<Sides> {
  const [runtime, image, engine] = [await stage.berth(), await stage.busybox(), await stage.dockerd()];
  const command = flooding(lines * lineBytes);
  const ours = standaloneId("log-read-back");
  // dockerd keeps everything unless told otherwise; so that both have all of it, so does Berth here.
  const logs = { destination: "disk", maxSizeBytes: 10e9, maxFiles: 5, retentionSecs: 3600 } as const;
  await runtime.createContainer(ours, { image, command: { args: command }, networkMode: { mode: "none" }, logs });
  stage.scope.defer(() => runtime.removeContainer(ours));
  await runtime.startContainer(ours);
  await runtime.waitContainer(ours);
  const theirs = await dockerCreate(engine, image, command);
  stage.scope.defer(() => dockerRemove(engine, theirs));
  await dockerStart(engine, theirs);
  await dockerWait(engine, theirs);
  return {
    berth: timed(async () => {
      let count = 0;
      for await (const { stream } of await runtime.logsStream(ours, { stdout: true, stderr: true })) if (stream === "stdout") count += 1;
      expectAll(count, lines, "lines");
    }),
    peer: timed(async () => {
      const frames = await engine.client.stream("GET", `/containers/${theirs}/logs?stdout=1&stderr=1`);
      expectAll(await received(frames), lines * (frameHeaderBytes + lineBytes), "bytes");
    }),
  };
}

const frameHeaderBytes = 8;
const followedBytes = 32e6;
/** Before the first line, so that the follower is there when it comes. */
const headStartMs = 1_000;

/** Milliseconds from the first line of 32 MB to the end of the stream, which is there before the first line is written. */
export function followByApi(stage: Stage): Promise<Sides> {
  return overSocket(stage, (engine, image) => async () => {
    const [shell = "", option = "", script = ""] = flooding(followedBytes);
    const id = await dockerCreate(engine, image, [shell, option, `sleep ${headStartMs / 1000}; ${script}`]);
    await dockerStart(engine, id);
    const frames = await engine.client.stream("GET", `/containers/${id}/logs?stdout=1&follow=1`);
    const figure = await fromFirstByte(frames, (followedBytes / lineBytes) * (frameHeaderBytes + lineBytes));
    await dockerRemove(engine, id);
    return [figure];
  });
}

const floodBytes = 2 ** 30;

/** Milliseconds a container takes to write 1 GiB, and megabytes that the engine and the container's monitor grow by meanwhile. */
export function flood(stage: Stage): Promise<Sides> {
  return overSocket(stage, (engine, image) => async () => {
    const id = await dockerCreate(engine, image, flooding(floodBytes));
    const before = treeRss(engine.pid);
    const peak = watchPeakOf(() => treeRss(engine.pid) + monitorPss(id), 200);
    const milliseconds = await elapsed(async () => {
      await dockerStart(engine, id);
      await dockerWait(engine, id);
    });
    const growth = peak.stop() - before;
    await dockerRemove(engine, id);
    return [milliseconds, growth];
  });
}

function monitorPss(id: string): number {
  return pssByName("conmon", id).megabytes + pssByName("containerd-shim", id).megabytes;
}

async function fromFirstByte(stream: IncomingMessage, expected: number): Promise<number> {
  let [begun, total] = [0, 0];
  for await (const chunk of stream) {
    if (total === 0) begun = performance.now();
    total += chunk.length;
  }
  expectAll(total, expected, "bytes");
  return performance.now() - begun;
}

async function received(stream: IncomingMessage): Promise<number> {
  let total = 0;
  for await (const chunk of stream) total += chunk.length;
  return total;
}

function expectAll(got: number, expected: number, what: string): void {
  if (got !== expected) throw new Error(`${got} ${what} of a log came instead of ${expected}`);
}
