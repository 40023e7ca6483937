/** The command line on the native backend: in this process, as a program with pipes, and at a real terminal. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { instanceNames } from "../../src/network/names.ts";
import { openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import { CliBench } from "../support/cli-host.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { openTerminal, type Terminal } from "../support/terminal.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");
/** busybox asks the terminal for the cursor right behind it. */
const prompt = "/ # ";
const offline = ["--network", "none"];

let registry: RegistryServer;
let image: string;
let root: string;
let runtime: Runtime;
let bench: CliBench;

before(async () => {
  registry = await startRegistry();
  image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-cli-"));
  runtime = await openRuntime({ backend: "native", root });
  bench = new CliBench(runtime);
});

after(async () => {
  for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  const uuid = (await runtime.extras?.info?.())?.facts["Engine ID"] ?? "";
  await runtime.close();
  const names = instanceNames({ uuid, defaultRoot: false });
  spawnSync("ip", ["link", "delete", names.bridge("bridge")]);
  spawnSync("nft", ["delete", "table", "inet", names.table]);
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"], HOME: process.env["HOME"], TERM: "xterm", BERTH_ROOT: root });

/** berth as a program of its own. */
function launch(args: readonly string[]): {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exit: Promise<number>;
} {
  const child = spawn(process.execPath, [main, ...args], { env: environment(), stdio: ["pipe", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exit = once(child, "close").then(([code, signal]) => (signal === null ? Number(code) : -1));
  return { child, stdout: () => stdout, stderr: () => stderr, exit };
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (!(await holds())) {
    if (deadline.aborted) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stateOf(name: string): Promise<string> {
  return (await runtime.containerState(standaloneId(name)).catch(() => ({ state: "gone" }))).state;
}

function terminal(args: readonly string[], size?: { rows: number; cols: number }): Terminal {
  return openTerminal(process.execPath, [main, ...args], environment(), size);
}

describe("run", () => {
  test("pulls from a registry, runs, tells the code and leaves nothing", async () => {
    const done = await bench.run(["run", "--rm", image, "sh", "-c", "echo out; echo err >&2; exit 42"]);
    assert.equal(done.code, 42);
    assert.equal(done.stdout, "out\n");
    assert.match(done.stderr, /Pull complete[\s\S]*Downloaded newer image[\s\S]*err\n$/);
    assert.deepEqual(await runtime.listContainers(), []);
    assert.match((await bench.run(["images"])).stdout, new RegExp(`${registry.host}/demo +latest`));
  });

  test("126, 127, 128 + n, and 125 for what berth could not do", async () => {
    const code = async (...args: string[]): Promise<number> => (await bench.run(["run", "--rm", ...offline, ...args])).code;
    assert.equal(await code(image, "nope"), 127);
    assert.equal(await code(image, "/etc/passwd"), 126);
    // The first process of a PID namespace cannot kill itself; a child of it can.
    assert.equal(await code(image, "sh", "-c", "sh -c 'kill -9 $$'; exit $?"), 137);
    assert.equal(await code("--pull", "never", `${registry.host}/nope`), 125);
    assert.equal(await code(`${registry.host}/nope`), 125);
    assert.equal(await code("--mount", "type=bind,src=/does/not/exist,dst=/x", image), 125);
    assert.deepEqual(await runtime.listContainers(), []);
  });

  test("flags reach the container", async () => {
    const script =
      "id -u; pwd; hostname; echo $A; cat /proc/self/limits | grep 'open files' | tr -s ' ' | cut -d' ' -f4; touch /x 2>/dev/null || echo ro; touch /t/x && echo rw";
    const done = await bench.run([
      "run",
      "--rm",
      ...offline,
      "-u",
      "alice",
      "-w",
      "/home",
      "-h",
      "box",
      "-e",
      "A=1",
      "--ulimit",
      "nofile=77:77",
      "--read-only",
      "--tmpfs",
      "/t:mode=1777",
      image,
      "sh",
      "-c",
      script,
    ]);
    assert.equal(done.stdout, "1000\n/home\nbox\n1\n77\nro\nrw\n", done.stderr);
  });

  test("published ports are shown and lead to the container", async () => {
    const { stdout } = await bench.run(["run", "-d", "--name", "web", "-p", "127.0.0.1::80", image, "sh", "-c", "while :; do echo served | nc -l -p 80; done"]);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
    const line = (await bench.run(["ps", "--format", "{{.Names}} {{.Ports}}"])).stdout;
    const port = Number(/^web 127\.0\.0\.1:(\d+)->80\/tcp$/m.exec(line)?.[1]);
    await until("an answer from the container", async () => (await fetchLine(port)) === "served\n");
    await bench.run(["rm", "-f", "web"]);
  });

  async function fetchLine(port: number): Promise<string> {
    const socket = createConnection(port, "127.0.0.1");
    let text = "";
    try {
      for await (const chunk of socket) text += chunk;
    } catch {
      return "";
    }
    return text;
  }

  test("-v: named volumes last, directories of the host are made, :ro holds", async () => {
    const directory = join(root, "made", "by-run");
    await bench.run([
      "run",
      "--rm",
      ...offline,
      "-v",
      "data:/data",
      "-v",
      `${directory}:/host`,
      image,
      "sh",
      "-c",
      "echo kept > /data/f; echo shared > /host/f",
    ]);
    const done = await bench.run([
      "run",
      "--rm",
      ...offline,
      "-v",
      "data:/data:ro",
      "-v",
      `${directory}:/host`,
      image,
      "sh",
      "-c",
      "cat /data/f /host/f; touch /data/g || echo refused",
    ]);
    assert.equal(done.stdout, "kept\nshared\nrefused\n");
  });

  test("megabytes through stdin and stdout arrive whole", async () => {
    const bytes = Buffer.alloc(3_000_000, "berth ");
    const done = await bench.run(["run", "-i", "--rm", ...offline, image, "cat"], { stdin: bytes.toString() });
    assert.equal(done.stdout.length, bytes.length);
    assert.ok(done.stdout === bytes.toString());
  });
});

describe("as a program", () => {
  test("a signal is the container's to answer", async () => {
    const run = launch([
      "run",
      "--rm",
      "--name",
      "trap",
      ...offline,
      image,
      "sh",
      "-c",
      "trap 'echo got it; exit 9' INT; echo ready; while :; do sleep 0.05; done",
    ]);
    await until("the container is ready", () => run.stdout().includes("ready"));
    run.child.kill("SIGINT");
    assert.equal(await run.exit, 9, run.stderr());
    assert.equal(run.stdout(), "ready\ngot it\n");
    assert.equal(await stateOf("trap"), "gone");
  });

  test("a reader that goes away ends run, logs and exec without a word", async () => {
    await bench.run(["run", "-d", "--name", "noise", ...offline, image, "sh", "-c", "while :; do echo noise; done"]);
    for (const args of [
      ["run", "--rm", "--name", "yes", ...offline, image, "yes"],
      ["logs", "-f", "noise"],
      ["exec", "noise", "yes"],
    ]) {
      const run = launch(args);
      await once(run.child.stdout ?? run.child, "data");
      run.child.stdout?.destroy();
      assert.equal(await run.exit, 141, args[0]);
      assert.equal(run.stderr(), "", args[0]);
    }
    await until("the container is gone", async () => (await stateOf("yes")) === "gone");
    await bench.run(["rm", "-f", "noise"]);
  });

  test("Ctrl-C ends logs -f and wait, and leaves the container alone", async () => {
    await bench.run(["run", "-d", "--name", "quiet", ...offline, image, "sh", "-c", "echo line; sleep 1000"]);
    const logs = launch(["logs", "-f", "quiet"]);
    await until("the first line", () => logs.stdout() === "line\n");
    logs.child.kill("SIGINT");
    assert.equal(await logs.exit, 130);
    assert.equal(logs.stderr(), "");
    assert.equal(await stateOf("quiet"), "running");
    await bench.run(["rm", "-f", "quiet"]);
  });

  test("run -d --rm removes itself after nobody is left to do it", async () => {
    const run = launch(["run", "-d", "--rm", "--name", "brief", ...offline, image, "sleep", "0.3"]);
    assert.equal(await run.exit, 0, run.stderr());
    await until("the container is gone", async () => (await stateOf("brief")) === "gone");
  });

  test("--version loads nothing but its own module", () => {
    const program = `process.argv[2] = "--version"; await import(${JSON.stringify(main)}); console.log(process.moduleLoadList.filter((name) => /NativeModule (?:http|sqlite|child_process|util)$/.test(name)).join());`;
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", program, "berth"], { encoding: "utf8" });
    assert.match(printed, /^berth version \d+\.\d+\.\d+\n/);
    assert.doesNotMatch(printed, /http|sqlite|child_process/);
  });
});

describe("at a terminal", () => {
  test("run -it: a shell that knows its size, line editing, resize, exit code", async () => {
    const tty = terminal(["run", "-it", "--rm", ...offline, image, "sh"], { rows: 30, cols: 100 });
    await tty.saw(prompt);
    tty.type("stty size; tty\r");
    await tty.saw("30 100");
    await tty.saw("/dev/pts/0");
    tty.resize(40, 120);
    tty.child.kill("SIGWINCH");
    tty.type("sleep 0.3; stty size\r");
    await tty.saw("40 120");
    // Not before the shell has left its line editor: there the key would be a character like any other.
    tty.type("echo go-$((40+2)); sleep 1000\r");
    await tty.saw("go-42");
    tty.type("\x03");
    tty.type("echo still-$((40+2))\r");
    await tty.saw("still-42");
    tty.type("exit 5\r");
    assert.equal(await tty.exit, 5);
  });

  test("ctrl-p ctrl-q leaves the container, attach comes back", async () => {
    const tty = terminal(["run", "-it", "--name", "left", ...offline, image, "sh"]);
    await tty.saw(prompt);
    tty.type("\x10\x11");
    assert.equal(await tty.exit, 0);
    assert.equal(await stateOf("left"), "running");
    const again = terminal(["attach", "left"]);
    again.type("echo back-$((40+2))\r");
    await again.saw("back-42");
    again.type("exit 3\r");
    assert.equal(await again.exit, 3);
    await bench.run(["rm", "left"]);
  });

  test("exec -it has a terminal of its own", async () => {
    await bench.run(["run", "-d", "--name", "box", ...offline, image, "sleep", "1000"]);
    const tty = terminal(["exec", "-it", "-e", "WHO=me", "box", "sh"], { rows: 20, cols: 70 });
    await tty.saw(prompt);
    tty.type("echo $WHO; stty size\r");
    await tty.saw("me");
    await tty.saw("20 70");
    tty.type("exit 6\r");
    assert.equal(await tty.exit, 6);
    await bench.run(["rm", "-f", "box"]);
  });

  test("Ctrl-C reaches a container without a terminal", async () => {
    const tty = terminal(["run", "--rm", ...offline, image, "sh", "-c", "trap 'echo interrupted; exit 4' INT; echo ready; while :; do sleep 0.05; done"]);
    await tty.saw("ready");
    tty.type("\x03");
    await tty.saw("interrupted");
    assert.equal(await tty.exit, 4);
  });

  test("a pull shows bars in place", async () => {
    const other = await pushDemoImage(registry.host, "other");
    const tty = terminal(["pull", other]);
    assert.equal(await tty.exit, 0);
    assert.match(tty.screen(), /\x1b\[1A\r\x1b\[J/);
    assert.match(tty.screen(), /[0-9a-f]{12}: (?:Pull complete|Already exists)/);
  });
});

test("a secret is in the container's environment, and nowhere a user looks", async () => {
  const value = "hidden-4711";
  const create = launch(["secret", "create", "token", "-"]);
  create.child.stdin?.end(`${value}\n`);
  assert.equal(await create.exit, 0);
  assert.equal(create.stdout(), "token\n");
  const run = await bench.run(["run", "-d", "--name", "trusted", ...offline, "-e", "TOKEN=$S:token", image, "sleep", "600"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal((await bench.run(["exec", "trusted", "sh", "-c", "echo $TOKEN"])).stdout, `${value}\n`);
  for (const args of [
    ["secret", "ls"],
    ["inspect", "trusted"],
    ["events", "--since", "1h", "--until", "0s"],
    ["ps", "-a", "--no-trunc"],
  ]) {
    const { code, stdout } = await bench.run(args);
    assert.equal(code, 0, args.join(" "));
    assert.ok(!stdout.includes(value), args.join(" "));
  }
  assert.match((await bench.run(["secret", "ls"])).stdout, /^NAME +CREATED\ntoken +/);
  assert.equal(spawnSync("sh", ["-c", "cat /proc/[0-9]*/cmdline"]).stdout.includes(value), false, "no command line shows it");
  assert.equal(
    spawnSync("grep", ["-rl", value, root], { encoding: "utf8" }).stdout.replace(/.*\/run\/(bundles|oci)\/.*\n/g, ""),
    "",
    "no file but what the OCI runtime is given",
  );
  assert.equal((await bench.run(["commit", "trusted", "leaky"])).code, 0);
  assert.ok(!(await bench.run(["image", "inspect", "leaky"])).stdout.includes("TOKEN"));
  assert.equal((await bench.run(["rm", "-f", "trusted"])).code, 0);
  assert.equal((await bench.run(["secret", "rm", "token"])).stdout, "token\n");
  const refused = await bench.run(["run", "--rm", ...offline, "-e", "TOKEN=$S:token", image, "true"]);
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, /env\.TOKEN: there is no secret "token"; make it with: berth secret create token -/);
});

test("events of the engine are those of berth events", async () => {
  const shown = (await bench.run(["system", "events", "--since", "1h", "--until", "0s"])).stdout;
  assert.match(shown, /image pull /);
});
