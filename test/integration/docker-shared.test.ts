/** The docker backend on an engine that others use as well: what it makes there is nobody's but its own. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";
import { runCommand } from "../support/docker-cli.ts";
import { type Dockerd, startDockerd } from "../support/dockerd.ts";

describe("an engine that others use as well", () => {
  let dockerd: Dockerd;
  let demo: Awaited<ReturnType<typeof openDemoRegistry>>;
  let runtime: Runtime;
  const docker = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCommand("docker", ["-H", dockerd.endpoint, ...args]);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };

  before(async () => {
    dockerd = await startDockerd();
    demo = await openDemoRegistry();
    runtime = await openRuntime({ backend: "docker", endpoint: dockerd.endpoint });
    await runtime.pullImage(demo.images.demo);
  });
  after(async () => {
    await runtime?.close();
    await demo?.close();
    await dockerd?.stop();
  });

  test("a container that docker makes of a committed image is not taken for the one it was made of", async () => {
    const id = standaloneId("origin");
    await runtime.createContainer(id, { image: demo.images.demo, networkMode: { mode: "none" }, labels: { own: "kept" } });
    await runtime.commitContainer(id, { repo: "committed", tag: "1" });
    const copy = await docker("create", "--network", "none", "committed:1", "true");
    const labels: Record<string, string> = JSON.parse(await docker("inspect", "--format", "{{json .Config.Labels}}", copy));
    assert.deepEqual(
      Object.entries(labels).filter(([, value]) => value !== ""),
      [["own", "kept"]],
    );
    const listed = await runtime.listContainers();
    assert.deepEqual(
      listed.filter(({ containerId }) => containerId !== undefined).map(({ name }) => name),
      ["origin"],
    );
    await runtime.removeContainer(id);
    assert.equal(await runtime.containerState(id).catch(({ code }: { code: string }) => code), "not_found");
    assert.deepEqual((await runtime.pruneContainers()).deleted, []);
    assert.equal(await docker("inspect", "--format", "{{.Id}}", copy), copy);
    const again = standaloneId("again");
    await runtime.createContainer(again, { image: "committed:1", networkMode: { mode: "none" } });
    assert.deepEqual((await runtime.inspectDetailed(again)).warnings, []);
    await runtime.removeContainer(again);
  });
});
