/** Every contest of the bench: what is measured, against whom, how often, and what it must reach. */
import type { NetworkMode } from "berth";
import { berthLargeArchive, berthLoad, dockerArchive, dockerdLoad, saveSides } from "./archives.ts";
import { execByApi, inspectByApi, pingRate, pingWhileBusy, runByApi } from "./api.ts";
import { berthExec, berthRun, berthStartSleeping } from "./berth-work.ts";
import { listCrowd, readyWithCrowd, startAlone, weighWithCrowd } from "./crowd.ts";
import { dockerExec, dockerRemove, dockerRun, dockerStartSleeping } from "./docker-work.ts";
import { overheadCalls, overheadSides } from "./docker-overhead.ts";
import { commit, copyIn, copyOut } from "./files.ts";
import { inLanes } from "./lanes.ts";
import { flood, followByApi, readBack } from "./logs.ts";
import { pssByName } from "./memory.ts";
import { berthPull, dockerdPull } from "./pull.ts";
import type { Stage } from "./stage.ts";
import { berthStats, dockerdStats } from "./stats.ts";
import { timed } from "./timing.ts";

/** One line of the result. */
export interface Row {
  readonly name: string;
  /** `%` = of one core. */
  readonly unit: "ms" | "MB" | "%";
  /** What must hold: a bound on berth / peer, or on Berth's own figure. */
  readonly target: { readonly ratio: number } | { readonly berth: number };
}

/** Does the work once and answers one figure per row. */
export type Side = () => Promise<readonly number[]>;

export interface Sides {
  readonly berth: Side;
  readonly peer: Side;
}

export interface Contest {
  readonly rows: readonly Row[];
  readonly peerName: "dockerd" | "crun";
  readonly rounds: number;
  /** Rounds before those that count. */
  readonly warmups: number;
  prepare(stage: Stage): Sides | Promise<Sides>;
}

const none: NetworkMode = { mode: "none" };
const bridge: NetworkMode = { mode: "default" };

export const contests: readonly Contest[] = [
  {
    rows: [{ name: "run.bridge.vs-dockerd", unit: "ms", target: { ratio: 0.25 } }],
    peerName: "dockerd",
    rounds: 15,
    warmups: 2,
    prepare: async (stage) => runAgainstDockerd(stage, bridge, "bridge"),
  },
  {
    rows: [{ name: "run.none.vs-dockerd", unit: "ms", target: { ratio: 0.25 } }],
    peerName: "dockerd",
    rounds: 15,
    warmups: 2,
    prepare: async (stage) => runAgainstDockerd(stage, none, "none"),
  },
  {
    rows: [{ name: "run.none.vs-crun", unit: "ms", target: { ratio: 4 } }],
    peerName: "crun",
    rounds: 31,
    warmups: 3,
    prepare: async (stage) => {
      const [runtime, image, crun] = [await stage.berth(), await stage.busybox(), await stage.crun()];
      let count = 0;
      return { berth: timed(() => berthRun(runtime, image, none)), peer: timed(() => crun.run(`run-${count++}`)) };
    },
  },
  {
    rows: [{ name: "run.c8.vs-dockerd", unit: "ms", target: { ratio: 0.25 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 1,
    prepare: async (stage) => {
      const [runtime, image, engine] = [await stage.berth(), await stage.busybox(), await stage.dockerd()];
      return {
        berth: timed(() => inLanes(40, () => berthRun(runtime, image, bridge), 8)),
        peer: timed(() => inLanes(40, () => dockerRun(engine, image, "bridge"), 8)),
      };
    },
  },
  {
    rows: [{ name: "exec.vs-dockerd", unit: "ms", target: { ratio: 0.35 } }],
    peerName: "dockerd",
    rounds: 21,
    warmups: 3,
    prepare: async (stage) => {
      const [runtime, image, engine] = [await stage.berth(), await stage.busybox(), await stage.dockerd()];
      const [ours, theirs] = [await berthStartSleeping(runtime, image), await dockerStartSleeping(engine, image)];
      stage.scope.defer(() => runtime.removeContainer(ours));
      stage.scope.defer(() => dockerRemove(engine, theirs));
      return { berth: timed(() => berthExec(runtime, ours)), peer: timed(() => dockerExec(engine, theirs)) };
    },
  },
  {
    rows: [{ name: "exec.vs-crun", unit: "ms", target: { ratio: 2 } }],
    peerName: "crun",
    rounds: 31,
    warmups: 3,
    prepare: async (stage) => {
      const [runtime, image, crun] = [await stage.berth(), await stage.busybox(), await stage.crun()];
      const ours = await berthStartSleeping(runtime, image);
      stage.scope.defer(() => runtime.removeContainer(ours));
      stage.scope.defer(await crun.startSleeping("sleeping"));
      return { berth: timed(() => berthExec(runtime, ours)), peer: timed(() => crun.exec("sleeping", ["/bin/true"])) };
    },
  },
  {
    rows: [
      { name: "pull.vs-dockerd", unit: "ms", target: { ratio: 0.8 } },
      { name: "pull.rss", unit: "MB", target: { berth: 200 } },
    ],
    peerName: "dockerd",
    rounds: 3,
    warmups: 0,
    prepare: async (stage) => {
      const image = await stage.pullImage();
      return { berth: () => berthPull(stage.dir, image), peer: () => dockerdPull(stage.dir, image) };
    },
  },
  {
    rows: [
      { name: "load.vs-dockerd", unit: "ms", target: { ratio: 0.7 } },
      { name: "load.rss", unit: "MB", target: { berth: 200 } },
    ],
    peerName: "dockerd",
    rounds: 3,
    warmups: 0,
    prepare: async (stage) => {
      const file = await dockerArchive(stage);
      return { berth: () => berthLoad(stage.dir, file), peer: () => dockerdLoad(stage.dir, file) };
    },
  },
  {
    rows: [{ name: "save.vs-dockerd", unit: "ms", target: { ratio: 0.7 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 1,
    prepare: saveSides,
  },
  {
    // Of an image of 2 GiB. The peer has no part in it: its figure is the bound.
    rows: (["import", "save", "load", "export", "commit"] as const).map((step) => ({ name: `${step}.2gib.rss`, unit: "MB", target: { berth: 200 } })),
    peerName: "dockerd",
    rounds: 1,
    warmups: 0,
    prepare: async (stage) => ({ berth: () => berthLargeArchive(stage.dir), peer: async () => [200, 200, 200, 200, 200] }),
  },
  {
    rows: [{ name: "cp.in.vs-dockerd", unit: "ms", target: { ratio: 0.7 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 1,
    prepare: copyIn,
  },
  {
    rows: [{ name: "cp.out.vs-dockerd", unit: "ms", target: { ratio: 0.7 } }],
    peerName: "dockerd",
    rounds: 5,
    warmups: 1,
    prepare: copyOut,
  },
  {
    rows: [{ name: "commit.vs-dockerd", unit: "ms", target: { ratio: 0.7 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 1,
    prepare: commit,
  },
  {
    // The peer is dockerd by bare node:http: what is left is what the backend adds.
    rows: overheadCalls.map((call) => ({ name: `docker.overhead.${call}`, unit: "ms", target: { ratio: 1.15 } })),
    peerName: "dockerd",
    rounds: 7,
    warmups: 1,
    prepare: overheadSides,
  },
  {
    rows: [{ name: "idle.rss", unit: "MB", target: { berth: 4 } }],
    peerName: "dockerd",
    rounds: 1,
    warmups: 0,
    prepare: async (stage) => ({ berth: () => berthIdle(stage), peer: () => dockerdIdle(stage) }),
  },
  {
    rows: [{ name: "logs.read.vs-dockerd", unit: "ms", target: { ratio: 0.5 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 0,
    prepare: readBack,
  },
  {
    rows: [
      { name: "logs.flood", unit: "ms", target: { ratio: 1.2 } },
      { name: "logs.flood.rss", unit: "MB", target: { berth: 32 } },
    ],
    peerName: "dockerd",
    rounds: 1,
    warmups: 0,
    prepare: flood,
  },
  {
    rows: [{ name: "api.run.bridge", unit: "ms", target: { ratio: 0.25 } }],
    peerName: "dockerd",
    rounds: 11,
    warmups: 2,
    prepare: runByApi,
  },
  {
    rows: [{ name: "api.exec", unit: "ms", target: { ratio: 0.4 } }],
    peerName: "dockerd",
    rounds: 21,
    warmups: 3,
    prepare: execByApi,
  },
  {
    rows: [{ name: "api.inspect", unit: "ms", target: { ratio: 1 } }],
    peerName: "dockerd",
    rounds: 9,
    warmups: 5,
    prepare: inspectByApi,
  },
  {
    // Milliseconds for 1,000 requests: a rate of which less is better.
    rows: [{ name: "api.ping.rps", unit: "ms", target: { ratio: 1 } }],
    peerName: "dockerd",
    rounds: 7,
    warmups: 1,
    prepare: pingRate,
  },
  {
    rows: [{ name: "api.ping.busy", unit: "ms", target: { berth: 50 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 0,
    prepare: pingWhileBusy,
  },
  {
    rows: [{ name: "api.logs.follow", unit: "ms", target: { ratio: 1 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 1,
    prepare: followByApi,
  },
  {
    rows: [
      { name: "daemon.ready", unit: "ms", target: { berth: 300 } },
      { name: "daemon.idle", unit: "MB", target: { berth: 90 } },
    ],
    peerName: "dockerd",
    rounds: 3,
    warmups: 0,
    prepare: startAlone,
  },
  {
    rows: [{ name: "api.list.200", unit: "ms", target: { ratio: 0.7 } }],
    peerName: "dockerd",
    rounds: 7,
    warmups: 1,
    prepare: listCrowd,
  },
  {
    rows: [{ name: "daemon.100", unit: "MB", target: { berth: 150 } }],
    peerName: "dockerd",
    rounds: 1,
    warmups: 0,
    prepare: weighWithCrowd,
  },
  {
    rows: [{ name: "daemon.ready.100", unit: "ms", target: { berth: 2000 } }],
    peerName: "dockerd",
    rounds: 3,
    warmups: 0,
    prepare: readyWithCrowd,
  },
  {
    // After the ones that want 100 of the 200 to run: here all of them do.
    rows: [{ name: "stats.200", unit: "%", target: { berth: 10 } }],
    peerName: "dockerd",
    rounds: 1,
    warmups: 0,
    prepare: async (stage) => ({ berth: () => berthStats(stage), peer: () => dockerdStats(stage) }),
  },
];

async function runAgainstDockerd(stage: Stage, ours: NetworkMode, theirs: string): Promise<Sides> {
  const [runtime, image, engine] = [await stage.berth(), await stage.busybox(), await stage.dockerd()];
  return { berth: timed(() => berthRun(runtime, image, ours)), peer: timed(() => dockerRun(engine, image, theirs)) };
}

const idleContainers = 10;

/** The containers' own processes are the same under both engines and do not count. */
async function berthIdle(stage: Stage): Promise<readonly number[]> {
  const [runtime, image] = [await stage.berth(), await stage.busybox()];
  const before = pssByName("conmon", stage.dir);
  const ids = await times(idleContainers, () => berthStartSleeping(runtime, image));
  const figure = perContainer(before, pssByName("conmon", stage.dir));
  for (const id of ids) await runtime.removeContainer(id);
  return [figure];
}

async function dockerdIdle(stage: Stage): Promise<readonly number[]> {
  const [engine, image] = [await stage.dockerd(), await stage.busybox()];
  const before = pssByName("containerd-shim", stage.dir);
  const ids = await times(idleContainers, () => dockerStartSleeping(engine, image));
  const figure = perContainer(before, pssByName("containerd-shim", stage.dir));
  for (const id of ids) await dockerRemove(engine, id);
  return [figure];
}

function perContainer(before: { count: number; megabytes: number }, after: { count: number; megabytes: number }): number {
  if (after.count - before.count < idleContainers) throw new Error(`expected ${idleContainers} more monitors, found ${after.count - before.count}`);
  return (after.megabytes - before.megabytes) / idleContainers;
}

async function times<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(await make());
  return made;
}
