/**
 * What the crash test kills in the middle. To add an operation, add a row: `prepare` and `run` happen in the process that is
 * killed, `after` in the next engine on the same state, which must find everything done or nothing.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerId, Runtime, ServiceSpec } from "../../../src/index.ts";
import type { NetworksFacet, VolumesFacet } from "../../../src/runtime/extras.ts";
import { containerIdToString } from "../../../src/spec/container-id.ts";
import { imageOperations } from "./image-operations.ts";
import { writeTar } from "../../../src/testing/tar-writer.ts";

export interface CrashWorld {
  readonly runtime: Runtime;
  /** In a registry that answers; in the store, too, unless the operation has a store of its own for each point. */
  readonly image: string;
  /** Of this point alone, with the container id made from it. */
  readonly name: string;
  readonly id: ContainerId;
  /** An empty directory for both processes. */
  readonly dir: string;
}

export interface Operation {
  readonly name: string;
  /** How many moments it is killed at, spread over the time it takes. */
  readonly points: number;
  /** Every point begins with an empty state directory. */
  readonly ownState?: boolean;
  prepare?(w: CrashWorld): Promise<void>;
  run(w: CrashWorld): Promise<void>;
  /** Finishes or repeats the operation, then takes away what there is of it. */
  after(w: CrashWorld): Promise<void>;
}

const port = [{ containerPort: 80, hostIp: "127.0.0.1" }];

const everyPort = [{ containerPort: 80 }, { containerPort: 80, protocol: "udp", hostIp: "127.0.0.1" }] as const;

function spec(w: CrashWorld, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return { image: w.image, command: { entrypoint: ["sleep", "1000"] }, portMappings: port, ...more };
}

const withVolumes = (w: CrashWorld): ServiceSpec =>
  spec(w, {
    storage: [
      { type: "anonymous", target: "/etc" },
      { type: "named", name: w.name, target: "/bin" },
    ],
  });

async function isThere({ runtime, id }: CrashWorld): Promise<boolean> {
  const key = containerIdToString(id);
  return (await runtime.listContainers()).some(({ containerId }) => containerId !== undefined && containerIdToString(containerId) === key);
}

/** Whatever became of the container, it can be started, used and removed, or made anew. */
async function useContainer(w: CrashWorld, wanted: ServiceSpec = spec(w)): Promise<void> {
  if (!(await isThere(w))) await w.runtime.createContainer(w.id, wanted);
  await w.runtime.startContainer(w.id);
  assert.equal((await w.runtime.exec(w.id, ["true"])).exitCode, 0);
  await w.runtime.removeContainer(w.id);
}

function volumes({ runtime }: CrashWorld): VolumesFacet {
  assert.ok(runtime.extras?.volumes !== undefined);
  return runtime.extras.volumes;
}

function networks({ runtime }: CrashWorld): NetworksFacet {
  assert.ok(runtime.extras?.networks !== undefined);
  return runtime.extras.networks;
}

/** A container on the default network beside a network of this point's name, for it to join. */
async function besideNetwork(w: CrashWorld, joined: readonly string[]): Promise<void> {
  await networks(w).create({ name: w.name, enableIpv6: true });
  await w.runtime.createContainer(w.id, spec(w, { networkMode: "bridge", networks: joined }));
  await w.runtime.startContainer(w.id);
}

async function isMember(w: CrashWorld): Promise<boolean> {
  return (await w.runtime.inspectDetailed(w.id)).networks.some(({ network }) => network === w.name);
}

/** Whatever became of the change, it can be made and unmade, and the container still has its way out. */
async function useNetwork(w: CrashWorld): Promise<void> {
  if (!(await isMember(w))) await networks(w).connect(w.name, w.id, { aliases: ["again"] });
  const [own] = (await networks(w).inspect(w.name)).containers;
  const { stdout } = await w.runtime.exec(w.id, ["sh", "-c", "ip addr; ip route; cat /etc/hosts /etc/resolv.conf"]);
  for (const text of [own?.ipv4 ?? "?", own?.ipv6 ?? "?", "default via", `${own?.ipv4?.split("/")[0]}\t`, "nameserver"])
    assert.ok(stdout.includes(text), `${text} in ${stdout}`);
  await networks(w).disconnect(w.name, w.id);
  assert.ok(!(await w.runtime.exec(w.id, ["sh", "-c", "ip addr; cat /etc/hosts"])).stdout.includes(own?.ipv4?.split("/")[0] ?? "?"));
  await useContainer(w);
  await networks(w).remove(w.name);
}

export const operations: readonly Operation[] = [
  ...imageOperations,
  {
    name: "pull",
    points: 8,
    ownState: true,
    run: (w) => w.runtime.pullImageWithPolicy(w.image, "always"),
    after: async (w) => {
      await w.runtime.pullImage(w.image);
      assert.equal((await w.runtime.listImages()).length, 1);
    },
  },
  {
    name: "create",
    points: 8,
    run: (w) => w.runtime.createContainer(w.id, withVolumes(w)),
    after: async (w) => {
      await useContainer(w, withVolumes(w));
      const left = await volumes(w).list();
      assert.deepEqual(
        left.filter(({ anonymous }) => anonymous),
        [],
        "no anonymous volume outlives its container",
      );
      await volumes(w).remove(w.name);
    },
  },
  {
    name: "start",
    points: 10,
    prepare: (w) => w.runtime.createContainer(w.id, spec(w)),
    run: (w) => w.runtime.startContainer(w.id),
    after: (w) => useContainer(w),
  },
  {
    // Of a state directory, so that bridge and firewall table are made too.
    name: "the first start",
    points: 8,
    ownState: true,
    prepare: async (w) => {
      await w.runtime.pullImage(w.image);
      await w.runtime.createContainer(w.id, spec(w, { portMappings: everyPort }));
    },
    run: (w) => w.runtime.startContainer(w.id),
    after: (w) => useContainer(w),
  },
  {
    name: "stop",
    points: 6,
    prepare: async (w) => {
      await w.runtime.createContainer(w.id, spec(w));
      await w.runtime.startContainer(w.id);
    },
    run: (w) => w.runtime.stopContainer(w.id, 0),
    after: async (w) => {
      await w.runtime.stopContainer(w.id, 0);
      assert.equal(await w.runtime.waitContainer(w.id), 137);
      await useContainer(w);
    },
  },
  {
    name: "remove",
    points: 8,
    prepare: async (w) => {
      await w.runtime.createContainer(w.id, spec(w, { storage: [{ type: "anonymous", target: "/etc" }] }));
      await w.runtime.startContainer(w.id);
    },
    run: (w) => w.runtime.removeContainer(w.id),
    after: async (w) => {
      await useContainer(w);
      assert.deepEqual(await volumes(w).list(), []);
    },
  },
  {
    name: "volume create",
    points: 6,
    run: async (w) => void (await volumes(w).create({ name: w.name, labels: { kept: "whole" } })),
    after: async (w) => {
      const { labels } = await volumes(w).create({ name: w.name, labels: { kept: "whole" } });
      assert.deepEqual(labels, { kept: "whole" });
      await volumes(w).remove(w.name);
    },
  },
  {
    name: "volume remove",
    points: 8,
    prepare: async (w) => {
      const { mountpoint } = await volumes(w).create({ name: w.name });
      for (let directory = 0; directory < 20; directory++) {
        mkdirSync(join(mountpoint, `${directory}`));
        for (let file = 0; file < 50; file++) writeFileSync(join(mountpoint, `${directory}/${file}`), "x");
      }
    },
    run: (w) => volumes(w).remove(w.name),
    after: async (w) => {
      // Either it is whole or it is gone; half a volume is never seen.
      const found = (await volumes(w).list()).find(({ name }) => name === w.name);
      if (found !== undefined) await volumes(w).remove(w.name);
      assert.deepEqual(await volumes(w).list(), []);
    },
  },
  {
    name: "network create",
    points: 4,
    run: async (w) => void (await networks(w).create({ name: w.name, labels: { kept: "whole" }, enableIpv6: true })),
    after: async (w) => {
      const found = (await networks(w).list()).find(({ name }) => name === w.name) ?? (await networks(w).create({ name: w.name, labels: { kept: "whole" } }));
      assert.deepEqual(found.labels, { kept: "whole" });
      await useContainer(w, spec(w, { networks: [w.name] }));
      await networks(w).remove(w.name);
    },
  },
  {
    name: "network remove",
    points: 4,
    prepare: async (w) => {
      await networks(w).create({ name: w.name });
      await useContainer(w, spec(w, { networks: [w.name] }));
    },
    run: (w) => networks(w).remove(w.name),
    after: async (w) => {
      const found = (await networks(w).list()).find(({ name }) => name === w.name);
      if (found !== undefined) await networks(w).remove(w.name);
      await networks(w).create({ name: w.name });
      await networks(w).remove(w.name);
    },
  },
  {
    name: "start with names",
    points: 6,
    prepare: async (w) => {
      await networks(w).create({ name: w.name });
      await w.runtime.createContainer(w.id, spec(w, { networks: [{ name: w.name, aliases: ["alias"] }] }));
    },
    run: (w) => w.runtime.startContainer(w.id),
    after: async (w) => {
      await w.runtime.startContainer(w.id);
      assert.equal((await w.runtime.exec(w.id, ["nslookup", "alias."])).stdout.includes((await w.runtime.getContainerIp(w.id)) ?? "?"), true);
      await useContainer(w);
      await networks(w).remove(w.name);
    },
  },
  {
    name: "network connect",
    points: 6,
    prepare: (w) => besideNetwork(w, []),
    run: (w) => networks(w).connect(w.name, w.id, { aliases: ["late"] }),
    after: useNetwork,
  },
  {
    name: "network disconnect",
    points: 6,
    prepare: (w) => besideNetwork(w, [w.name]),
    run: (w) => networks(w).disconnect(w.name, w.id),
    after: useNetwork,
  },
  {
    name: "commit",
    points: 8,
    prepare: async (w) => {
      await w.runtime.createContainer(w.id, spec(w));
      await w.runtime.startContainer(w.id);
      await w.runtime.archivePut(w.id, "/", manyFiles);
    },
    run: async (w) => void (await w.runtime.commitContainer(w.id, { repo: w.name })),
    after: async (w) => {
      // The container was frozen while it was read; nobody is left to let it go on but the next engine.
      assert.equal((await w.runtime.inspectDetailed(w.id)).paused, false);
      assert.equal((await w.runtime.exec(w.id, ["cat", "/many/7"])).stdout, "x".repeat(5000));
      const before = (await w.runtime.listImages()).filter(({ reference }) => reference.includes(w.name));
      await w.runtime.commitContainer(w.id, { repo: w.name });
      assert.ok(before.length <= 1);
      await w.runtime.removeImage(w.name, false);
      await useContainer(w);
    },
  },
  {
    name: "copy into a running container",
    points: 6,
    prepare: async (w) => {
      await w.runtime.createContainer(w.id, spec(w));
      await w.runtime.startContainer(w.id);
    },
    run: (w) => w.runtime.archivePut(w.id, "/", manyFiles),
    after: useCopies,
  },
  {
    name: "copy into a stopped container",
    points: 6,
    prepare: (w) => w.runtime.createContainer(w.id, spec(w)),
    run: (w) => w.runtime.archivePut(w.id, "/", manyFiles),
    after: useCopies,
  },
];

const manyFiles = writeTar([{ name: "many/" }, ...Array.from({ length: 200 }, (_, index) => ({ name: `many/${index}`, data: "x".repeat(5000) }))]);

/** What was copied so far is there, and all of it after another copy. */
async function useCopies(w: CrashWorld): Promise<void> {
  await w.runtime.archivePut(w.id, "/", manyFiles);
  const changes = await w.runtime.changesContainer(w.id);
  assert.equal(changes.filter(({ path }) => path.startsWith("/many/")).length, 200);
  await useContainer(w);
}
