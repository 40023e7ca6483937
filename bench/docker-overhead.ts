/** What the docker backend adds to an engine's own time: each call through it, and the same by bare `node:http`. */
import { type ContainerId, openRuntime, type Runtime, standaloneId } from "berth";
import type { Sides } from "./contests.ts";
import { dockerExec } from "./docker-work.ts";
import type { EngineClient } from "./engine-client.ts";
import type { Stage } from "./stage.ts";

export const overheadCalls = ["create", "start", "exec", "logs", "stats", "list"] as const;

/** Per round: the quick calls are repeated, so that a hiccup of the machine does not make the figure. dockerd takes a second or two for one look at stats. */
const [slowTimes, quickTimes] = [3, 20];
const timesOf: Readonly<Record<(typeof overheadCalls)[number], number>> = {
  create: slowTimes,
  start: slowTimes,
  exec: slowTimes,
  logs: quickTimes,
  stats: 1,
  list: quickTimes,
};
const logLines = 100;

type Work = Readonly<Record<(typeof overheadCalls)[number], () => Promise<unknown>>>;

interface Calls {
  readonly work: Work;
  /** Removes what was made. */
  readonly end: () => Promise<void>;
}

export async function overheadSides(stage: Stage): Promise<Sides> {
  const [engine, image] = [await stage.dockerd(), await stage.busybox()];
  const runtime = await openRuntime({ backend: "docker", endpoint: engine.endpoint });
  stage.scope.defer(() => runtime.close());
  const talker = standaloneId("overhead-talker");
  await runtime.createContainer(talker, {
    image,
    command: { args: ["sh", "-c", `busybox seq 1 ${logLines}; exec sleep 3600`] },
    networkMode: { mode: "none" },
  });
  stage.scope.defer(() => runtime.removeContainer(talker));
  await runtime.startContainer(talker);
  const deadline = Date.now() + 30_000;
  while ((await runtime.getLogs(talker)).length < logLines) {
    if (Date.now() > deadline) throw new Error(`the log never had ${logLines} lines`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { hexId = "" } = await runtime.inspectDetailed(talker);
  return {
    berth: () => figures(throughBackend(runtime, image, talker, slowTimes)),
    peer: () => figures(byHttp(engine.client, image, hexId, slowTimes)),
  };
}

/** Milliseconds of one call of each kind. */
async function figures({ work, end }: Calls): Promise<readonly number[]> {
  const result: number[] = [];
  for (const call of overheadCalls) {
    const times = timesOf[call];
    const begun = performance.now();
    for (let time = 0; time < times; time++) await work[call]();
    result.push((performance.now() - begun) / times);
  }
  await end();
  return result;
}

let made = 0;

function throughBackend(runtime: Runtime, image: string, talker: ContainerId, count: number): Calls {
  const ids = Array.from({ length: count }, () => standaloneId(`overhead-${made++}`));
  let [created, started] = [0, 0];
  const work: Work = {
    create: () => runtime.createContainer(ids[created++] ?? talker, { image, command: { args: ["/bin/sleep", "3600"] }, networkMode: { mode: "none" } }),
    start: () => runtime.startContainer(ids[started++] ?? talker),
    exec: () => runtime.exec(talker, ["/bin/true"]),
    logs: () => runtime.getLogs(talker),
    stats: () => runtime.getContainerStats(talker),
    list: () => runtime.listContainers(),
  };
  const end = async (): Promise<void> => {
    for (const id of ids) await runtime.removeContainer(id);
  };
  return { work, end };
}

function byHttp(client: EngineClient, image: string, talker: string, count: number): Calls {
  const ids: string[] = [];
  let started = 0;
  const body = { Image: image, Cmd: ["/bin/sleep", "3600"], HostConfig: { NetworkMode: "none" } };
  const work: Work = {
    create: async () => {
      const answer = await client.call("POST", `/v1.41/containers/create?name=bare-${made++}`, body);
      if (typeof answer === "object" && answer !== null && "Id" in answer && typeof answer.Id === "string") ids.push(answer.Id);
    },
    start: () => client.call("POST", `/v1.41/containers/${ids[started++]}/start`),
    exec: () => dockerExec({ client }, talker),
    logs: () => client.call("GET", `/v1.41/containers/${talker}/logs?stdout=1&stderr=1&timestamps=1`),
    stats: () => client.call("GET", `/v1.41/containers/${talker}/stats?stream=0&one-shot=1`),
    list: () => client.call("GET", "/v1.41/containers/json?all=1"),
  };
  const end = async (): Promise<void> => {
    if (ids.length !== count) throw new Error(`${ids.length} of ${count} containers were created`);
    for (const id of ids) await client.call("DELETE", `/v1.41/containers/${id}?force=true`);
  };
  return { work, end };
}
