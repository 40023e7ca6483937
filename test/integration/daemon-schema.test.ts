/** What the daemon answers, against the reference of the Docker Engine API, over containers of every kind. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { isIsolated, runIsolated } from "../../scripts/lib/isolate.ts";
import { isRecord } from "../../src/spec/descriptor.ts";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { type Answer, callSocket } from "../support/call-socket.ts";
import { pushDemoImage } from "../support/demo.ts";
import * as small from "../support/engine-api-answers.ts";
import * as api from "../support/engine-api-schemas.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { dockerOf, type ScenarioContext, until } from "../support/scenarios.ts";

if (!isIsolated()) {
  test("answers against the reference, in namespaces of their own", { timeout: 600_000 }, () => {
    if (runIsolated() !== 0) throw new Error("a test failed; its output is above");
  });
} else {
  describe("answers of the daemon are what the reference of the Engine API says", () => {
    let daemon: BerthDaemon;
    let registry: RegistryServer;
    let ok: ScenarioContext["ok"];
    let image = "";
    before(async () => {
      [registry, daemon] = await Promise.all([startRegistry(), startBerthDaemon()]);
      image = await pushDemoImage(registry.host);
      ({ ok } = dockerOf(daemon.endpoint, daemon.directory));
      await ok(["pull", "-q", image]);
      await ok(["network", "create", "--label", "a=b", "--subnet", "10.77.0.0/24", "net"]);
      await ok(["volume", "create", "--label", "a=b", "vol"]);
      const common = ["-l", "a=b", "-e", "X=1", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--cap-add", "NET_ADMIN", "--dns", "127.0.0.1"];
      const storage = ["-v", "vol:/data:ro", "--tmpfs", "/scratch", "--mount", "type=bind,source=/etc,target=/host-etc,readonly"];
      const health = ["--health-cmd", "true", "--health-interval", "1s", "--restart", "on-failure:2", "--ulimit", "nofile=100:200"];
      const ports = ["--network", "net", "--network-alias", "alias", "-p", "127.0.0.1::80", "-p", "9000-9001:9000-9001/udp", "--expose", "1234"];
      await ok(["run", "-d", "--name", "web", ...common, ...storage, ...health, ...ports, image, "sleep", "100000"]);
      await ok(["run", "--name", "ended", image, "sh", "-c", "echo x > /tmp/new; rm /etc/group; exit 3"]).catch(() => {});
      await ok(["create", "-it", "--name", "fresh", "--init", "--read-only", "--user", "alice", image]);
      await ok(["run", "-d", "--name", "hosted", "--network", "host", image, "sleep", "100000"]);
      await ok(["run", "-d", "--name", "lonely", "--network", "none", image, "sleep", "100000"]);
      await ok(["pause", "lonely"]);
      await until("web is healthy", async () => (await ok(["inspect", "-f", "{{.State.Health.Status}}", "web"])) === "healthy");
    });
    after(async () => {
      await daemon.stop();
      await registry.close();
    });

    const call = (method: string, path: string, body?: object): Promise<Answer> => callSocket(daemon.socket, method, path, body === undefined ? {} : { body });

    function conforms(schema: z.ZodType, value: unknown, what: string): void {
      const { error } = schema.safeParse(value);
      assert.equal(error, undefined, `${what}\n${error === undefined ? "" : z.prettifyError(error)}`);
    }

    const filters = (value: object): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;
    const routes: readonly (readonly [string, z.ZodType])[] = [
      ["/containers/json?all=1", z.array(api.containerSummary).length(5)],
      ["/containers/json?all=1&size=1", z.array(api.containerSummary.required({ SizeRw: true, SizeRootFs: true })).length(5)],
      ...["web", "ended", "fresh", "hosted", "lonely"].map((name) => [`/containers/${name}/json`, api.containerInspect] as const),
      ["/containers/web/json?size=1", api.containerInspect.required({ SizeRw: true, SizeRootFs: true })],
      ["/containers/web/top", small.top],
      ["/containers/web/top?ps_args=aux", small.top],
      ["/containers/ended/changes", small.changes],
      ["/containers/fresh/changes", small.changes],
      ["/containers/web/stats?stream=0", small.stats],
      ["/containers/web/stats?stream=0&one-shot=1", small.stats],
      ["/images/json", z.array(api.imageSummary).length(1)],
      ["/images/json?all=1&shared-size=1&digests=1", z.array(api.imageSummary).length(1)],
      ["/networks", z.array(api.network).min(4)],
      ["/networks/net", api.network],
      ["/networks/bridge?verbose=true", api.network],
      ["/networks/host", api.network],
      ["/volumes", api.volumeList],
      [`/volumes?${filters({ name: ["nothing-of-that-name"] })}`, api.volumeList],
      ["/volumes/vol", api.volume],
      ["/info", api.systemInfo],
      ["/version", small.systemVersion],
      ["/system/df", small.diskUsage],
    ];
    for (const [path, schema] of routes) {
      test(`GET ${path}`, async () => {
        const answer = await call("GET", `/v1.47${path}`);
        assert.equal(answer.status, 200, answer.text);
        conforms(schema, answer.body, path);
      });
    }

    test("images by name: inspect, history, distribution", async () => {
      conforms(api.imageInspect, (await call("GET", `/images/${image}/json`)).body, "inspect");
      conforms(api.imageHistory.min(1), (await call("GET", `/images/${image}/history`)).body, "history");
      conforms(small.distribution, (await call("GET", `/distribution/${image}/json`)).body, "distribution");
    });

    test("create, exec, update, wait, commit and removal", async () => {
      const created = await call("POST", "/containers/create?name=made", { Image: image, Cmd: ["sh", "-c", "exit 4"], HostConfig: { CpuShares: 512 } });
      conforms(small.created, created.body, "create");
      conforms(small.updated, (await call("POST", "/containers/made/update", { Memory: 64 * 1024 * 1024, MemorySwap: -1 })).body, "update");
      await call("POST", "/containers/made/start");
      const waited = await call("POST", "/containers/made/wait");
      conforms(small.waited, waited.body, "wait");
      assert.ok(isRecord(waited.body) && waited.body["StatusCode"] === 4);
      const exec = await call("POST", "/containers/web/exec", { Cmd: ["sleep", "0.1"], AttachStdout: true });
      conforms(small.idOnly, exec.body, "exec");
      assert.ok(isRecord(exec.body));
      const id = String(exec.body["Id"]);
      conforms(small.execInspect, (await call("GET", `/exec/${id}/json`)).body, "exec before its start");
      await call("POST", `/exec/${id}/start`, { Detach: true });
      conforms(small.execInspect, (await call("GET", `/exec/${id}/json`)).body, "exec after its start");
      conforms(small.commitId, (await call("POST", "/commit?container=made&repo=made&tag=1", {})).body, "commit");
      conforms(small.deleted, (await call("DELETE", "/images/made:1")).body, "image removal");
      conforms(small.networkCreated, (await call("POST", "/networks/create", { Name: "made" })).body, "network");
      conforms(api.volume, (await call("POST", "/volumes/create", {})).body, "volume");
      conforms(small.pruned("ContainersDeleted"), (await call("POST", `/containers/prune?${filters({ label: ["none"] })}`)).body, "prune of containers");
      conforms(small.pruned("ImagesDeleted"), (await call("POST", "/images/prune")).body, "prune of images");
      conforms(small.pruned("VolumesDeleted"), (await call("POST", "/volumes/prune")).body, "prune of volumes");
      conforms(z.strictObject({ NetworksDeleted: z.array(z.string()).nullable() }), (await call("POST", "/networks/prune")).body, "prune of networks");
    });

    test("events of all of that", async () => {
      const { text } = await call("GET", `/events?since=0&until=${Math.floor(Date.now() / 1000)}`);
      const lines = text.trim().split("\n");
      assert.ok(lines.length > 20, text);
      for (const line of lines) conforms(small.event, JSON.parse(line), line);
    });

    test("errors, and progress of a pull with its trouble in band", async () => {
      for (const path of ["/containers/nope/json", "/images/nope/json", "/networks/nope", "/volumes/nope", "/exec/nope/json", "/nowhere"]) {
        const answer = await call("GET", path);
        assert.equal(answer.status, 404);
        conforms(small.errorResponse, answer.body, path);
      }
      const progress = z.strictObject({
        id: z.string().optional(),
        status: z.string().optional(),
        progress: z.string().optional(),
        progressDetail: z.strictObject({ current: z.int().optional(), total: z.int().optional() }).optional(),
        error: z.string().optional(),
        errorDetail: z.strictObject({ code: z.int().optional(), message: z.string() }).optional(),
      });
      for (const name of [image, `${registry.host}/demo:missing`]) {
        const { text, status } = await call("POST", `/images/create?fromImage=${encodeURIComponent(name)}`);
        if (status !== 200) conforms(small.errorResponse, JSON.parse(text), name);
        else for (const line of text.trim().split("\n")) conforms(progress, JSON.parse(line), line);
      }
    });
  });
}
