/** The daemon under systemd: sockets that are there before it, what it tells, a restart nobody notices, and the units. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isIsolated, runIsolated } from "../../scripts/lib/isolate.ts";
import { parseAddresses } from "../../src/daemon/listeners.ts";
import { type ActivatedDaemon, activateDaemon } from "../support/activated-daemon.ts";
import { makeCertificates } from "../support/certificates.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { dockerOf, type ScenarioContext, until } from "../support/scenarios.ts";

const units = join(import.meta.dirname, "..", "..", "contrib", "systemd");

function countOf(states: readonly string[], state: string): number {
  return states.filter((one) => one === state).length;
}

if (!isIsolated()) {
  test("a daemon under systemd, in namespaces of its own", { timeout: 600_000 }, () => {
    if (runIsolated() !== 0) throw new Error("a test failed; its output is above");
  });
} else {
  describe("a daemon whose socket systemd holds", () => {
    let daemon: ActivatedDaemon;
    let registry: RegistryServer;
    let ok: ScenarioContext["ok"];
    let image = "";
    before(async () => {
      [registry, daemon] = await Promise.all([startRegistry(), activateDaemon({ on: "unix", backend: "native" })]);
      [image] = await Promise.all([pushDemoImage(registry.host), daemon.start()]);
      ({ ok } = dockerOf(`unix://${daemon.address}`, daemon.directory));
      await ok(["pull", "-q", image]);
    });
    after(async () => {
      await daemon.close();
      await registry.close();
    });

    test("says when it is ready, to the one who asked", async () => {
      await until("READY=1 was told", () => daemon.states.includes("READY=1"));
    });

    test("a client that comes between two daemons waits and is served; containers are untouched", async () => {
      const id = await ok(["run", "-d", "--name", "steady", image, "sleep", "100000"]);
      const pid = await ok(["inspect", "-f", "{{.State.Pid}}", "steady"]);
      for (const [round, signal] of (["SIGTERM", "SIGKILL"] as const).entries()) {
        const code = await daemon.end(signal);
        if (signal === "SIGTERM") {
          assert.equal(daemon.states.at(-1), "STOPPING=1");
          assert.equal(code, 0);
        }
        const early = ok(["inspect", "-f", "{{.Id}} {{.State.Running}} {{.State.Pid}}", "steady"]);
        await daemon.start();
        assert.equal(await early, `${id} true ${pid}`, `after ${signal}`);
        await until("READY=1 was told again", () => countOf(daemon.states, "READY=1") === round + 2);
      }
    });

    test("what systemd gave the daemon does not reach containers and what starts them", async () => {
      await ok(["run", "-d", "--name", "clean", image, "sleep", "100000"]);
      const pid = await ok(["inspect", "-f", "{{.State.Pid}}", "clean"]);
      const monitor = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";
      const ours = socketInode(String(daemon.address));
      for (const process of [pid, monitor]) {
        assert.doesNotMatch(readFileSync(`/proc/${process}/environ`, "utf8"), /LISTEN_|NOTIFY_/);
        assert.deepEqual(
          openSockets(process).filter((inode) => inode === ours),
          [],
        );
      }
      assert.doesNotMatch(await ok(["exec", "clean", "env"]), /LISTEN_|NOTIFY_/);
    });
  });

  describe("a TCP socket of systemd", () => {
    const directory = mkdtempSync(join(tmpdir(), "berth-activated-tls-"));
    const path = (name: string): string => join(directory, name);
    const token = "operator-0123456789abcdef";
    before(() => {
      makeCertificates(directory);
      writeFileSync(path("tokens"), `${token} operator\n`, { mode: 0o600 });
    });
    after(() => rmSync(directory, { recursive: true, force: true }));

    test("is refused without TLS and a way to know clients, as one of our own", async (t) => {
      const daemon = await activateDaemon({ on: "tcp", backend: "mock" });
      t.after(() => daemon.close());
      await daemon.start();
      await until("it gave up", () => /needs tls-cert and tls-key/.test(daemon.log()));
      assert.ok(!daemon.states.includes("READY=1"));
    });

    test("is guarded by what guards one of our own", async (t) => {
      const args = ["--tls-cert", path("server.pem"), "--tls-key", path("server.key"), "--token-file", path("tokens")];
      const daemon = await activateDaemon({ on: "tcp", backend: "mock", args, isAbstract: true });
      t.after(() => daemon.close());
      await daemon.start();
      await until("READY=1 was told", () => daemon.states.includes("READY=1"));
      const url = `https://127.0.0.1:${daemon.address}/info`;
      const status = (...flags: string[]): string =>
        execFileSync("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", path("ca.pem"), ...flags, url], { encoding: "utf8" });
      assert.equal(status(), "401");
      assert.equal(status("-H", `Authorization: Bearer ${token}`), "200");
    });
  });
}

describe("fd://", () => {
  const cases: readonly (readonly [string, NodeJS.ProcessEnv])[] = [
    ["without sockets", {}],
    ["with those of another process", { LISTEN_PID: "1", LISTEN_FDS: "1" }],
    ["with a count that is none", { LISTEN_PID: String(process.pid), LISTEN_FDS: "x" }],
  ];
  for (const [name, env] of cases) {
    test(`${name} says what to do`, () => {
      assert.throws(() => parseAddresses({ host: ["fd://"] }, env), { code: "configuration", message: /start berth\.socket/ });
    });
  }
});

test("systemd finds nothing to complain about in our units", () => {
  const directory = mkdtempSync(join(tmpdir(), "berth-units-"));
  // It looks for the program, which is not installed where the tests run.
  for (const unit of readdirSync(units)) writeFileSync(join(directory, unit), readFileSync(join(units, unit), "utf8").replace("/usr/bin/berth", "/bin/true"));
  const verified = spawnSync("systemd-analyze", ["verify", "--man=no", ...readdirSync(units).map((unit) => join(directory, unit))], { encoding: "utf8" });
  rmSync(directory, { recursive: true });
  assert.deepEqual([verified.status, verified.stdout, verified.stderr], [0, "", ""]);
});

/** Of the socket that listens there. */
function socketInode(path: string): string {
  const line = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .find((one) => one.includes(" 00010000 ") && one.endsWith(`${path}.first`));
  return line?.trim().split(/\s+/)[6] ?? "none listens there";
}

function openSockets(pid: string): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
}
