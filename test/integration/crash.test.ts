/**
 * kill -9 at 48 points of pull, create, start and remove. After each, the next open must find or undo what was half done:
 * mounts, cgroups, interfaces, leases, directories and records are compared with what the records say should be there.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { containerIdToString, openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const points = 12;
let registry: RegistryServer;
let image: string;
let root: string;

before(async () => {
  registry = await startRegistry();
  image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-crash-"));
  await using runtime = await open();
  await runtime.pullImage(image);
});

after(async () => {
  {
    await using runtime = await open();
    for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  }
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

function open(at: string = root): Promise<Runtime> {
  return openRuntime({ backend: "native", root: at, runDir: join(at, "run") });
}

/** Starts the operation in a process of its own and kills that `delayMs` after it began. `true` when it had not ended. */
async function killDuring(operation: string, name: string, delayMs: number, at: string): Promise<boolean> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "../support/crash-child.ts"), at, join(at, "run"), image, operation, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const begun = Promise.withResolvers<void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.includes("begin")) begun.resolve();
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([begun.promise, ended]);
  await sleep(delayMs);
  child.kill("SIGKILL");
  await ended;
  return !output.includes("end");
}

/** Everything of ours on the host, against what the records say. */
async function audit(runtime: Runtime, at: string): Promise<void> {
  const containers = await runtime.listContainers();
  const running = containers.filter(({ state }) => state?.state === "running");
  const names = (list: typeof containers): string[] => list.map(({ runtimeId }) => runtimeId).sort();
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(`${at}/containers/`));
  assert.equal(mounts.length, running.length, `mounts left: ${mounts.join("\n")}`);
  assert.deepEqual(readdirSync(join(at, "containers")).sort(), names(containers), "directories match records");
  assert.equal(readdirSync(join(at, "run", "bundles")).length, running.length, "one bundle per running container");
  assert.deepEqual(
    cgroupLeaves()
      .filter((leaf) => leaf.includes("-crash"))
      .map((leaf) => leaf.slice(0, leaf.lastIndexOf(".")))
      .sort(),
    names(running),
    "cgroups match running containers",
  );
  assert.deepEqual(
    readdirSync(join(at, "snapshots")).filter((entry) => entry.includes("tmp")),
    [],
    "no half unpacked layer",
  );
  const keys = running.flatMap(({ containerId }) => (containerId === undefined ? [] : [containerIdToString(containerId)])).sort();
  assert.deepEqual(await column(at, "select key from leases"), keys, "leases match running containers");
  assert.deepEqual(await column(at, "select key from port_bindings"), keys, "published ports match running containers");
  assert.deepEqual(readdirSync(join(at, "run", "oci")).sort(), names(running), "OCI containers match running ones");
  await eventually(
    () => pairs().length === running.length,
    () => `veth pairs: ${pairs().join(" ")}, running: ${running.length}`,
  );
  assert.equal(processesOf(at).length, running.length, `monitors: ${processesOf(at).join("; ")}`);
  for (const { containerId } of running) {
    assert.ok(containerId);
    assert.equal((await runtime.exec(containerId, ["true"])).exitCode, 0, "a running container is usable");
  }
}

async function column(at: string, query: string): Promise<string[]> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(join(at, "state", "berth.db"), { readOnly: true });
  try {
    return db
      .prepare(query)
      .all()
      .map((row) => String(row.key))
      .sort();
  } finally {
    db.close();
  }
}

/** The host's ends of our veth pairs. The kernel takes a pair away some milliseconds after its namespace. */
function pairs(): string[] {
  return readdirSync("/sys/class/net").filter((name) => /^ve[0-9a-f]{10}$/.test(name));
}

/** Monitors whose command line names the state directory. */
function processesOf(at: string): string[] {
  const lines = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(commandLine);
  return lines.filter((line) => line.includes("conmon") && line.includes(`${at}/`));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

async function eventually(holds: () => boolean, message: () => string): Promise<void> {
  for (let tries = 0; tries < 250 && !holds(); tries += 1) await sleep(20);
  assert.ok(holds(), message());
}

function cgroupLeaves(): string[] {
  const parents = ["/sys/fs/cgroup/berth", "/sys/fs/cgroup/memory/berth", "/sys/fs/cgroup/pids/berth"].filter((path) => existsSync(path));
  return [
    ...new Set(
      parents.flatMap((path) =>
        readdirSync(path, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .map(({ name }) => name),
      ),
    ),
  ];
}

describe("kill -9", () => {
  for (const [operation, spanMs] of [
    ["pull", 60],
    ["create", 24],
    ["start", 72],
    ["remove", 48],
  ] as const) {
    test(`in the middle of ${operation}, ${points} points`, async () => {
      let interrupted = 0;
      for (let point = 0; point < points; point += 1) {
        const at = operation === "pull" ? mkdtempSync(join(tmpdir(), "berth-crash-pull-")) : root;
        const name = `crash${operation}${point}`;
        const id = standaloneId(name);
        if (await killDuring(operation, name, (point * spanMs) / points, at)) interrupted += 1;
        await using runtime = await open(at);
        await audit(runtime, at);
        if (operation === "pull") {
          await runtime.pullImage(image);
          assert.equal((await runtime.listImages()).length, 1);
        } else if ((await runtime.listContainers()).some(({ containerId }) => containerId && containerIdToString(containerId) === containerIdToString(id))) {
          await runtime.startContainer(id);
          await runtime.removeContainer(id);
        }
        await audit(runtime, at);
        if (at !== root) {
          await runtime.close();
          rmSync(at, { recursive: true, force: true });
        }
      }
      assert.ok(interrupted > 0, "no kill fell into the operation");
    });
  }
});
