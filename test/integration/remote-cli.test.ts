/** The command line says the same through a daemon as with the engine inside itself, on one and the same state. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

describe("the command line, embedded and through a daemon", () => {
  let daemon: BerthDaemon;
  let demo: Awaited<ReturnType<typeof openDemoRegistry>>;
  let image = "";
  before(async () => {
    [daemon, demo] = [await startBerthDaemon(), await openDemoRegistry()];
    image = demo.images.demo;
    assert.equal(berth({}, "pull", "-q", image).code, 0);
  });
  after(async () => {
    await daemon?.stop();
    await demo?.close();
  });

  function berth(
    env: Readonly<Record<string, string>>,
    ...args: readonly string[]
  ): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
    const state = { BERTH_ROOT: join(daemon.directory, "root"), BERTH_RUN_DIR: join(daemon.directory, "run") };
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env: { ...process.env, ...state, ...env } });
    return { code: status, stdout, stderr };
  }

  /** The same words in both ways; answers what the remote one said. */
  function both(...args: readonly string[]): string {
    const remote = berth({ BERTH_HOST: daemon.endpoint }, ...args);
    assert.deepEqual(remote, berth({}, ...args), args.join(" "));
    return remote.stdout;
  }

  test("output and exit code of a run, of an exec, and of what cannot be run", () => {
    assert.equal(both("run", "--rm", image, "sh", "-c", "echo out; echo err >&2; exit 7"), "out\n");
    for (const env of [{}, { BERTH_HOST: daemon.endpoint }]) {
      const { code, stderr } = berth(env, "run", "--rm", "--name", "missing", image, "no-such-program");
      assert.equal(code, 127);
      assert.match(stderr, /^berth: cannot start container .*`no-such-program` not found in \$PATH/);
    }
    both("run", "--rm", "--name", "fed", image, "cat");
  });

  test("a container made through the daemon is the embedded engine's too, and the other way round", () => {
    assert.equal(berth({ BERTH_HOST: daemon.endpoint }, "run", "-d", "--name", "here", image, "sh", "-c", "echo ready; exec sleep 600").code, 0);
    assert.equal(berth({}, "run", "-d", "--name", "there", image, "sh", "-c", "echo ready; exec sleep 600").code, 0);
    for (const name of ["here", "there"]) {
      assert.equal(both("exec", name, "sh", "-c", "echo inside; exit 5"), "inside\n");
      assert.equal(both("logs", name), "ready\n");
      both("inspect", "--format", "{{.Name}}", name);
      both("port", name);
    }
    assert.match(both("ps", "--format", "{{.Names}} {{.Image}}"), /^(here|there) \S+\n(here|there) \S+\n$/);
    assert.equal(berth({}, "rm", "-f", "here").code, 0);
    assert.equal(berth({ BERTH_HOST: daemon.endpoint }, "rm", "-f", "there").code, 0);
    assert.equal(both("ps", "-aq"), "");
  });

  test("what is not there is not there in the same words", () => {
    for (const args of [
      ["logs", "nobody"],
      ["rm", "nobody"],
      ["exec", "nobody", "true"],
      ["inspect", "nobody"],
      ["rmi", "no/such:image"],
    ])
      both(...args);
  });

  test("lists of images, volumes and networks", () => {
    both("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}");
    both("volume", "ls");
    both("network", "ls", "--format", "{{.Name}} {{.Driver}}");
  });
});
