/** kill -9 of the daemon under load: containers run on, every exit code is known afterwards, and no line of a log is lost. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isIsolated, runIsolated } from "../../scripts/lib/isolate.ts";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { pushDemoImage } from "../support/demo.ts";
import { runCommand } from "../support/docker-cli.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { dockerOf } from "../support/scenarios.ts";

/** Each with other work in flight; BERTH_CRASHES=100 for the long run. */
const crashes = Number(process.env["BERTH_CRASHES"] ?? 15);
/** Far beyond what one takes on a machine with nothing else to do. */
const perCrashMs = 60_000;
const lines = 2000;
/** Rounds whose container may still be there. */
const kept = 15;

if (!isIsolated()) {
  test("crashes in namespaces of their own", { timeout: (crashes + 5) * perCrashMs }, () => {
    if (runIsolated() !== 0) throw new Error("a crash test failed; its output is above");
  });
} else {
  describe("a daemon that is killed", () => {
    let daemon: BerthDaemon;
    let registry: RegistryServer;
    let image = "";
    before(async () => {
      [registry, daemon] = await Promise.all([startRegistry(), startBerthDaemon()]);
      image = await pushDemoImage(registry.host);
      await dockerOf(daemon.endpoint, daemon.directory).ok(["pull", "-q", image]);
    });
    after(async () => {
      try {
        await daemon.stop();
      } finally {
        await registry.close();
      }
    });

    test(`at ${crashes} moments, while containers start, exec, log and end`, { timeout: crashes * perCrashMs }, async () => {
      const { ok, docker } = dockerOf(daemon.endpoint, daemon.directory);
      const steady = await ok(["run", "-d", "--name", "steady", image, "sleep", "100000"]);
      const pid = await ok(["inspect", "-f", "{{.State.Pid}}", "steady"]);
      for (let round = 0; round < crashes; round++) {
        const writer = `writer-${round}`;
        const leaver = `leaver-${round}`;
        const script = `i=0; while [ $i -lt ${lines} ]; do echo line $i; i=$((i+1)); done; exit 3`;
        await ok(["run", "-d", "--name", writer, image, "sh", "-c", script]);
        await ok(["run", "-d", "--name", leaver, image, "sh", "-c", `sleep 0.${round % 10}; exit ${round + 1}`]);
        const inFlight = [
          docker(["run", "-d", "--name", `late-${round}`, image, "sleep", "100000"]),
          docker(["exec", "steady", "sh", "-c", "echo x; sleep 5"]),
          docker(["logs", "-f", "steady"]),
          runCommand("docker", ["rm", "-f", `late-${round - 1}`], { env: { DOCKER_HOST: daemon.endpoint } }),
        ];
        await new Promise((resolve) => setTimeout(resolve, (round * 37) % 400));
        await daemon.end("SIGKILL");
        await Promise.all(inFlight);
        await daemon.again();
        assert.equal(await ok(["inspect", "-f", "{{.Id}} {{.State.Running}} {{.State.Pid}}", "steady"]), `${steady} true ${pid}`, `round ${round}`);
        assert.equal(await ok(["wait", writer]), "3", `round ${round}`);
        assert.equal(await ok(["wait", leaver]), String(round + 1), `round ${round}`);
        const written = (await ok(["logs", writer])).split("\n");
        assert.equal(written.length, lines, `round ${round}`);
        assert.ok(
          written.every((line, i) => line === `line ${i}`),
          `round ${round}`,
        );
        assert.match(await ok(["exec", "steady", "echo", "alive"]), /alive/);
        await ok(["rm", writer, leaver]);
        // Removals are interrupted too; what they leave must not grow with the rounds.
        await docker(["rm", "-f", `late-${round - kept}`]);
      }
    });
  });
}
