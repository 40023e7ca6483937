/** The name server over its life: with several engines, with none, after its own death, and on a host where it cannot be. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { type ContainerId, openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import { findNameServer } from "../../src/network/name-server.ts";
import { programs } from "../../src/testing/programs.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";

const root = mkdtempSync(join(tmpdir(), "berth-names-"));
const runDir = join(root, "run");
const warnings: string[] = [];
let demo: Awaited<ReturnType<typeof openDemoRegistry>>;
let runtime: Runtime;
let made = 0;

before(async () => {
  demo = await openDemoRegistry();
  runtime = await open();
  await runtime.pullImage(demo.images.demo);
  await runtime.extras?.networks?.create({ name: "named" });
});
after(async () => {
  await runtime.close();
  await demo.close();
  rmSync(root, { recursive: true, force: true });
});
afterEach(async () => {
  for (const { containerId } of await runtime.listContainers()) if (containerId !== undefined) await runtime.removeContainer(containerId);
  await eventually("no server without containers", () => servers().length === 0);
  warnings.length = 0;
});

function open(): Promise<Runtime> {
  return openRuntime({ backend: "native", root, runDir, onWarning: (text) => warnings.push(text) });
}

async function started(alias: string, o: { readonly by?: Runtime; readonly argv?: readonly string[] } = {}): Promise<ContainerId> {
  const id = standaloneId(`names${process.pid}x${++made}`);
  const by = o.by ?? runtime;
  const command = { args: o.argv ?? ["sleep", "1000"] };
  await by.createContainer(id, { image: demo.images.demo, networks: [{ name: "named", aliases: [alias] }], command, stopGracePeriod: 0 });
  await by.startContainer(id);
  return id;
}

async function resolves(asker: ContainerId, name: string): Promise<boolean> {
  return (await runtime.exec(asker, programs.shell(`nslookup ${name}. 2>&1`))).stdout.includes("Name:");
}

/** Pids of name servers of this state directory. */
function servers(): number[] {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).filter((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      return command.includes("aardvark-dns") && command.includes(root) && !command.startsWith("sh\0");
    } catch {
      return false;
    }
  });
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("the name server", () => {
  test("is one for all networks and engines, and ends with the last container", async () => {
    await using other = await open();
    await runtime.extras?.networks?.create({ name: "further" });
    const asker = await started("asker");
    await Promise.all(Array.from({ length: 8 }, (_, index) => started(`peer${index}`, { by: index % 2 === 0 ? runtime : other })));
    assert.equal(servers().length, 1);
    for (let index = 0; index < 8; index++) await eventually(`peer${index} resolves`, () => resolves(asker, `peer${index}`));
    await runtime.extras?.networks?.connect("further", asker, { aliases: ["elsewhere"] });
    assert.equal(servers().length, 1);
    assert.ok(await resolves(asker, "elsewhere"));
    await runtime.extras?.networks?.disconnect("further", asker);
    await runtime.extras?.networks?.remove("further");
  });

  test("is not there for the default network", async () => {
    const id = standaloneId(`names${process.pid}x${++made}`);
    await runtime.createContainer(id, { image: demo.images.demo, command: { args: ["sleep", "1000"] }, stopGracePeriod: 0 });
    await runtime.startContainer(id);
    assert.deepEqual(servers(), []);
    assert.ok(!existsSync(join(runDir, "names")));
  });

  test("is started again by the next change after somebody killed it", async () => {
    const first = await started("first");
    for (const pid of servers()) process.kill(pid, "SIGKILL");
    await eventually("the server is gone", () => servers().length === 0);
    const second = await started("second");
    assert.equal(servers().length, 1);
    assert.ok((await resolves(second, "first")) && (await resolves(first, "second")));
  });

  test("forgets a container that ended, and ends, while no engine is alive", async () => {
    const lasting = await started("lasting");
    const brief = await started("brief", { argv: programs.shell("while [ ! -e /go ]; do sleep 0.05; done") });
    const pid = (await runtime.getContainerPid(brief)) ?? 0;
    const other = (await runtime.getContainerPid(lasting)) ?? 0;
    await runtime.close();
    try {
      execFileSync("touch", [`/proc/${pid}/root/go`]);
      const file = (): string =>
        readdirSync(join(runDir, "names"))
          .filter((name) => name !== "aardvark.pid")
          .map((name) => readFileSync(join(runDir, "names", name), "utf8"))
          .join();
      await eventually("the name of the container that ended is gone", () => !file().includes("brief"));
      assert.ok(file().includes("lasting"));
      const ask = () =>
        promisify(execFile)("nsenter", ["-t", String(other), "-n", "-m", "nslookup", "brief."]).then(
          () => true,
          () => false,
        );
      await eventually("the server has heard of it", async () => !(await ask()));
      process.kill(other, "SIGKILL");
      await eventually("the server ends with the last container", () => servers().length === 0);
    } finally {
      runtime = await open();
    }
  });

  test("forgets a container that is removed at its end, while no engine is alive", async () => {
    const id = standaloneId(`names${process.pid}x${++made}`);
    const command = { args: programs.shell("while [ ! -e /go ]; do sleep 0.05; done") };
    await runtime.createContainer(id, { image: demo.images.demo, networks: ["named"], command, lifecycle: { deleteOnExit: true } });
    await runtime.startContainer(id);
    const pid = (await runtime.getContainerPid(id)) ?? 0;
    await runtime.close();
    try {
      assert.equal(servers().length, 1);
      execFileSync("touch", [`/proc/${pid}/root/go`]);
      await eventually("the server ends with the last container", () => servers().length === 0);
    } finally {
      runtime = await open();
    }
    await eventually("the container is gone", async () => (await runtime.listContainers()).length === 0);
  });

  test("that cannot have its port costs the names, not the container", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(53, "0.0.0.0", resolve));
    const id = await started("mute");
    assert.equal((await runtime.containerState(id)).state, "running");
    assert.match(warnings.join("\n"), /port 53 of [\d.]+ is taken/);
    assert.doesNotMatch((await runtime.exec(id, ["cat", "/etc/resolv.conf"])).stdout, /^nameserver 10\.108\./m);
    await new Promise<void>((resolve) => socket.close(resolve));
    const second = await started("loud");
    assert.ok(await resolves(second, "mute"), "names are back with the next container");
  });

  test("that is not installed costs the names, not the container", async () => {
    const directory = dirname(findNameServer() ?? "");
    execFileSync("mount", ["-t", "tmpfs", "none", directory]);
    try {
      const id = await started("mute");
      assert.match(warnings.join("\n"), /aardvark-dns is not installed; apt-get install/);
      assert.doesNotMatch(
        (await runtime.exec(id, ["cat", "/etc/resolv.conf"])).stdout,
        new RegExp(`nameserver ${(await runtime.inspectDetailed(id)).networks[0]?.gateway}`),
      );
    } finally {
      execFileSync("umount", [directory]);
    }
  });
});
