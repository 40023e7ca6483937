/** A disk without a free block: what needs space says so and leaves nothing, and what frees space still works. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { openRuntime, type Runtime, type ServiceSpec, standaloneId } from "../../src/index.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const base = mkdtempSync(join(tmpdir(), "berth-full-"));
let registry: RegistryServer;
let image: string;
let disk: string;
let root: string;
let count = 0;

before(async () => {
  registry = await startRegistry();
  image = await pushDemoImage(registry.host);
});
after(async () => {
  await registry.close();
  rmSync(base, { recursive: true, force: true });
});

/** A small file system of its own for each test; what is not state lies elsewhere, as `/run` does. */
beforeEach(() => {
  disk = join(base, `disk-${++count}`);
  root = join(disk, "root");
  const file = join(base, `disk-${count}.img`);
  mkdirSync(disk);
  writeFileSync(file, "");
  truncateSync(file, 48 * 1024 * 1024);
  execFileSync("mkfs.ext4", ["-q", "-m", "0", file]);
  execFileSync("mount", ["-o", "loop", file, disk]);
});
afterEach(() => {
  // What a failed test left running goes with the namespace; the disk must not wait for it.
  execFileSync("umount", ["--lazy", disk]);
});

function open(): Promise<Runtime> {
  return openRuntime({ backend: "native", root, runDir: join(base, `run-${count}`) });
}

const sleeper = (more: Partial<ServiceSpec> = {}): ServiceSpec => ({ image, command: { entrypoint: ["sleep", "1000"] }, networkMode: "none", ...more });
const ids = { running: standaloneId("running"), stopped: standaloneId("stopped"), fresh: standaloneId("fresh") } as const;

/** Down to the last block. */
function fillUp(): void {
  spawnSync("dd", ["if=/dev/zero", `of=${join(disk, "big")}`, "bs=1M"], { stdio: "ignore" });
  spawnSync("sh", ["-c", `i=0; while echo x > ${disk}/small.$i; do i=$((i+1)); done 2>/dev/null`], { stdio: "ignore" });
}

async function furnish(): Promise<void> {
  await using runtime = await open();
  await runtime.pullImage(image);
  await runtime.createContainer(ids.running, sleeper({ storage: [{ type: "anonymous", target: "/etc" }] }));
  await runtime.startContainer(ids.running);
  await runtime.createContainer(ids.stopped, sleeper());
  await runtime.extras?.volumes?.create({ name: "kept" });
}

describe("on a full disk", () => {
  test("stop, rm, volume rm, rmi and prune work, also in a process that only just opens the state", async () => {
    await furnish();
    fillUp();
    await using runtime = await open();
    await runtime.stopContainer(ids.running, 0);
    assert.notEqual((await runtime.containerState(ids.running)).state, "running");
    await runtime.removeContainer(ids.running);
    assert.deepEqual(
      (await runtime.extras?.volumes?.list())?.map(({ name }) => name),
      ["kept"],
    );
    await runtime.extras?.volumes?.remove("kept");
    assert.equal((await runtime.pruneContainers()).deleted.length, 1);
    await runtime.removeImage(image, false);
    assert.deepEqual(await runtime.listImages(), []);
    assert.deepEqual(readdirSync(join(root, "containers")), []);
    assert.deepEqual(readdirSync(join(root, "volumes")), []);
  });

  test("a volume that cannot be filled is told with the remedy, and there is no such volume or container", async () => {
    await furnish();
    writeFileSync(join(disk, "big"), "");
    await using runtime = await open();
    const free = Number(
      execFileSync("stat", ["-f", "-c", "%a %S", disk], { encoding: "utf8" })
        .split(" ")
        .map(Number)
        .reduce((a, b) => a * b),
    );
    spawnSync("dd", ["if=/dev/zero", `of=${join(disk, "big")}`, "bs=64K", `count=${Math.floor((free - 600_000) / 65_536)}`], { stdio: "ignore" });
    const made = runtime.createContainer(
      ids.fresh,
      sleeper({
        storage: [
          { type: "named", name: "program", target: "/bin" },
          { type: "anonymous", target: "/root" },
        ],
      }),
    );
    await assert.rejects(made, { code: "create_failed", message: /no space left.*free some space/i });
    await assert.rejects(runtime.containerState(ids.fresh), { code: "not_found" });
    assert.equal((await runtime.extras?.volumes?.list())?.length, 2, "of the volumes only those of before are there");
    rmSync(join(disk, "big"));
    await runtime.createContainer(ids.fresh, sleeper({ storage: [{ type: "named", name: "program", target: "/bin" }] }));
    await runtime.removeContainer(ids.fresh);
    await runtime.removeContainer(ids.running);
  });

  test("a create is told with the remedy and leaves nothing, and works once there is space", async () => {
    await furnish();
    await using runtime = await open();
    fillUp();
    await assert.rejects(runtime.createContainer(ids.fresh, sleeper()), (error: Error & { code?: string }) => {
      assert.equal(error.code, "create_failed", error.stack);
      assert.match(error.message, /free some space/);
      return true;
    });
    await assert.rejects(runtime.containerState(ids.fresh), { code: "not_found" });
    rmSync(join(disk, "big"));
    await runtime.createContainer(ids.fresh, sleeper());
    for (const id of [ids.fresh, ids.running, ids.stopped]) await runtime.removeContainer(id);
  });

  test("a state directory that cannot be made says so", async () => {
    fillUp();
    await assert.rejects(open(), /no space left|free some space/i);
  });
});
