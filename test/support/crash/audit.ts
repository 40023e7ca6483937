/** Everything of one engine on the host, against what its records say should be there. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "../../../src/index.ts";
import { containerIdToString } from "../../../src/spec/container-id.ts";

/** Needs a mount, network and process namespace of its own. Throws with everything that does not fit, also after a while. */
export async function audit(runtime: Runtime, root: string): Promise<void> {
  const end = performance.now() + 15_000;
  for (;;) {
    const found = await differences(runtime, root);
    if (found.length === 0) return;
    // The kernel takes a veth pair away some milliseconds after its namespace, conmon ends a little after its container.
    if (performance.now() > end) throw new Error(found.join("\n"));
    await sleep(20);
  }
}

async function differences(runtime: Runtime, root: string): Promise<string[]> {
  const containers = await runtime.listContainers();
  const running = containers.filter(({ state }) => state?.state === "running");
  const all = containers.map(({ runtimeId }) => runtimeId);
  const live = running.map(({ runtimeId }) => runtimeId);
  const keys = running.flatMap(({ containerId }) => (containerId === undefined ? [] : [containerIdToString(containerId)]));
  const every = containers.flatMap(({ containerId }) => (containerId === undefined ? [] : [containerIdToString(containerId)]));
  const legs = await legsOf(runtime);
  const named = legs.filter(({ network }) => network !== "bridge");
  const volumes = (await runtime.extras?.volumes?.list()) ?? [];
  return [
    ...differs("mounts", count(mountsBelow(root)), count(live)),
    ...differs("container directories", list(root, "containers"), all),
    ...differs("bundles", count(list(root, "run/bundles")), count(live)),
    ...differs("cgroups", cgroupLeaves(all), live),
    ...differs("OCI containers", list(root, "run/oci"), live),
    ...differs("veth pairs", count(vethPairs()), [String(legs.length)]),
    ...differs("monitors", count(monitorsOf(root)), count(live)),
    ...differs(
      "leases",
      column(root, "select key as text from leases"),
      legs.map(({ key }) => key),
    ),
    ...differs("unfinished changes of networks", column(root, "select key as text from network_changes"), []),
    ...differs(
      "members of networks that are gone",
      column(root, "select key as text from network_members").filter((key) => !every.includes(key)),
      [],
    ),
    ...differs(
      "names",
      namesOf(root),
      named.map(({ network, hexId }) => `${network}/${hexId}`),
    ),
    ...differs("name servers", count(processesOf(root, "aardvark-dns")), [named.length > 0 ? "1" : "0"]),
    ...differs("containers with published ports", column(root, "select distinct key as text from port_bindings"), keys),
    ...differs("ports of the firewall", publishedPorts(), column(root, "select protocol || ' ' || host_port as text from port_bindings")),
    ...differs(
      "half unpacked layers",
      list(root, "snapshots").filter((entry) => entry.includes("tmp")),
      [],
    ),
    ...differs(
      "volume directories",
      list(root, "volumes"),
      volumes.map(({ name }) => name),
    ),
    ...differs("unfinished volumes", column(root, "select name as text from volumes where state <> 'ready'"), []),
    ...differs(
      "users of volumes that are gone",
      column(root, "select user as text from volume_users").filter((user) => !every.includes(user)),
      [],
    ),
  ];
}

interface Leg {
  readonly key: string;
  readonly hexId: string;
  readonly network: string;
}

/** Of every running container in each of its networks, as the networks tell it. */
async function legsOf(runtime: Runtime): Promise<Leg[]> {
  const networks = (await runtime.extras?.networks?.list()) ?? [];
  return networks
    .filter(({ driver }) => driver === "bridge")
    .flatMap(({ name, containers }) =>
      containers.map(({ hexId, containerId }) => ({ hexId, key: containerId === undefined ? "" : containerIdToString(containerId), network: name })),
    );
}

/** What the files of the name server tell: `network/container`. */
function namesOf(root: string): string[] {
  const ids = new Map(column(root, "select substr(id, 1, 12) || '/' || name as text from networks").map((text) => text.split("/") as [string, string]));
  return list(root, "run/names")
    .filter((file) => file !== "aardvark.pid")
    .flatMap((file) => {
      const lines = readFileSync(join(root, "run/names", file), "utf8").match(/^[0-9a-f]{64}/gm) ?? [];
      return lines.map((hexId) => `${ids.get(file) ?? file}/${hexId}`);
    });
}

function differs(what: string, found: readonly string[], expected: readonly string[]): string[] {
  const [a, b] = [[...found].sort().join(" "), [...expected].sort().join(" ")];
  return a === b ? [] : [`${what}: found ${a || "none"}, expected ${b || "none"}`];
}

const count = (things: readonly string[]): string[] => [String(things.length)];

function list(root: string, path: string): string[] {
  return existsSync(join(root, path)) ? readdirSync(join(root, path)) : [];
}

function mountsBelow(root: string): string[] {
  const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
  return lines.filter((line) => line.includes(` ${root}/`));
}

function column(root: string, query: string): string[] {
  const db = new DatabaseSync(join(root, "state", "berth.db"), { readOnly: true, timeout: 10_000 });
  try {
    return db
      .prepare(query)
      .all()
      .map((row) => String(row.text));
  } finally {
    db.close();
  }
}

/** The host's ends. Not from /sys, which shows the network namespace it was mounted in. */
function vethPairs(): string[] {
  return readFileSync("/proc/self/net/dev", "utf8").match(/\bve[0-9a-f]{10}(?=:)/g) ?? [];
}

/** Keys of the maps, with an address of the host or without, that lead a port of the host to a container, as `tcp 8080`. */
function publishedPorts(): string[] {
  const rules = execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });
  return [...rules.matchAll(/\b(tcp|udp) \.(?: [\d.]+ \.)? (\d+) :/g)].map(([, protocol = "", port = ""]) => `${protocol} ${port}`);
}

/** Monitors whose command line names the state directory. */
function monitorsOf(root: string): string[] {
  return processesOf(root, "conmon");
}

function processesOf(root: string, program: string): string[] {
  const lines = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(commandLine);
  return lines.filter((line) => line.includes(program) && line.includes(`${root}/`));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** The hierarchy is shared with every other engine of the host: only leaves of this run's containers count. A leaf's name ends in its run. */
function cgroupLeaves(known: readonly string[]): string[] {
  const run = process.env["BERTH_CRASH_RUN"] ?? "";
  const parents = ["/sys/fs/cgroup/berth", "/sys/fs/cgroup/memory/berth", "/sys/fs/cgroup/pids/berth"].filter((path) => existsSync(path));
  const leaves = parents.flatMap((path) => readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()));
  return [...new Set(leaves.map(({ name }) => name))]
    .map((leaf) => leaf.slice(0, leaf.lastIndexOf(".")))
    .filter((name) => known.includes(name) || name.includes(run));
}
