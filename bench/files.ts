/** The units of work on files in containers: 100 MB in 5,000 files go in, come out, and become an image. */
import { request } from "node:http";
import type { ContainerId, Runtime } from "berth";
import { type TarFixture, writeTar } from "../src/testing/tar-writer.ts";
import { isRecord } from "../src/spec/descriptor.ts";
import { berthStartSleeping } from "./berth-work.ts";
import type { Sides } from "./contests.ts";
import { dockerRemove, dockerStartSleeping } from "./docker-work.ts";
import type { Stage } from "./stage.ts";
import { settle } from "./measure.ts";
import { elapsed } from "./timing.ts";

const files = 5000;
const bytesPerFile = 20_000;
const filesPerDirectory = 100;

let archives = 0;

/** An archive whose top directory no other has. */
function archive(): { readonly top: string; readonly tar: Buffer } {
  const top = `in-${archives++}`;
  const data = Buffer.from(Array.from({ length: bytesPerFile }, (_, index) => (index * 131 + archives) & 0xff));
  const entries: TarFixture[] = [{ name: `${top}/` }];
  for (let file = 0; file < files; file++) {
    const directory = `${top}/d${Math.floor(file / filesPerDirectory)}/`;
    if (file % filesPerDirectory === 0) entries.push({ name: directory });
    entries.push({ name: `${directory}f${file}`, data });
  }
  return { top, tar: writeTar(entries) };
}

export async function copyIn(stage: Stage): Promise<Sides> {
  const { runtime, ours, socket, theirs } = await containers(stage);
  return {
    berth: () => timedAround(archive, ({ tar }) => runtime.archivePut(ours, "/", tar)),
    peer: () => timedAround(archive, ({ tar }) => engine(socket, "PUT", `/containers/${theirs}/archive?path=/`, tar)),
  };
}

export async function copyOut(stage: Stage): Promise<Sides> {
  const { runtime, ours, socket, theirs } = await containers(stage);
  const { top, tar } = archive();
  await runtime.archivePut(ours, "/", tar);
  await engine(socket, "PUT", `/containers/${theirs}/archive?path=/`, tar);
  return {
    berth: () => timedAround(nothing, async () => counted(await runtime.archiveGet(ours, `/${top}`))),
    peer: () => timedAround(nothing, async () => engine(socket, "GET", `/containers/${theirs}/archive?path=/${top}`)),
  };
}

/** Every round commits a container of its own with files of its own: nothing is there already, and what the container wrote is on the disk. */
export async function commit(stage: Stage): Promise<Sides> {
  const [runtime, image, dockerd] = [await stage.berth(), await stage.busybox(), await stage.dockerd()];
  const { socket } = dockerd;
  return {
    berth: async () => {
      const id = await berthStartSleeping(runtime, image);
      await runtime.archivePut(id, "/", archive().tar);
      const figure = await timedAround(settle, async () => void (await runtime.commitContainer(id, {})));
      await runtime.removeContainer(id);
      return figure;
    },
    peer: async () => {
      const id = await dockerStartSleeping(dockerd, image);
      await engine(socket, "PUT", `/containers/${id}/archive?path=/`, archive().tar);
      const figure = await timedAround(settle, async () => {
        const answer = await dockerd.client.call("POST", `/commit?container=${id}`);
        if (!isRecord(answer) || typeof answer["Id"] !== "string") throw new Error(`dockerd commit: ${JSON.stringify(answer)}`);
      });
      await dockerRemove(dockerd, id);
      return figure;
    },
  };
}

interface Containers {
  readonly runtime: Runtime;
  readonly ours: ContainerId;
  readonly socket: string;
  readonly theirs: string;
}

async function containers(stage: Stage): Promise<Containers> {
  const [runtime, image, dockerd] = [await stage.berth(), await stage.busybox(), await stage.dockerd()];
  const [ours, theirs] = [await berthStartSleeping(runtime, image), await dockerStartSleeping(dockerd, image)];
  stage.scope.defer(() => runtime.removeContainer(ours));
  stage.scope.defer(() => dockerRemove(dockerd, theirs));
  return { runtime, ours, socket: dockerd.socket, theirs };
}

async function nothing(): Promise<void> {}

/** Only `work` is timed. */
async function timedAround<T>(prepare: () => T | Promise<T>, work: (prepared: T) => Promise<unknown>): Promise<readonly number[]> {
  const prepared = await prepare();
  return [await elapsed(() => work(prepared))];
}

async function counted(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let total = 0;
  for await (const chunk of stream) total += chunk.length;
  if (total < files * bytesPerFile) throw new Error(`only ${total} bytes came out`);
  return total;
}

/** Sends bytes, and reads what comes back to its end. */
function engine(socketPath: string, method: string, path: string, body?: Buffer): Promise<number> {
  const headers = body === undefined ? {} : { "content-type": "application/x-tar", "content-length": body.length };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers }, (response) => {
      let total = 0;
      response.on("data", (chunk: Buffer) => {
        total += chunk.length;
      });
      response.once("error", reject);
      response.once("end", () => ((response.statusCode ?? 0) < 400 ? resolve(total) : reject(new Error(`${method} ${path}: ${response.statusCode}`))));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}
