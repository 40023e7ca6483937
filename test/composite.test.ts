/** How a composite chooses, keeps and finds the backend of a container, and what it makes of several answers. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { BerthError, isBerthError } from "../src/errors.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { openCompositeRuntime } from "../src/runtimes/composite/open.ts";
import { createMockRuntime } from "../src/runtimes/mock/index.ts";
import type { MockRuntime } from "../src/runtimes/mock/mock-runtime.ts";
import { type ContainerId, containerId } from "../src/spec/container-id.ts";
import { demoConfigs } from "../src/testing/demo-image.ts";
import { simulateProgram } from "../src/testing/simulate.ts";

const image = "registry.example:5000/demo:1";
const id = containerId({ service: "web", replica: 1 });
const onB = { image, command: { args: ["true"] }, labels: { "dev.berth.isolation": "b" } };

interface Setup {
  /** The children's worlds, through handles of their own. */
  readonly a: MockRuntime;
  readonly b: MockRuntime;
  /** What the composite itself calls: faults are set here. */
  readonly children: readonly [MockRuntime, MockRuntime];
  readonly composite: Runtime;
  /** The composite over the same children and table, as after a restart. */
  reopen(): Promise<Runtime>;
}

async function setUp(t: TestContext, os: { readonly b?: readonly string[] } = {}): Promise<Setup> {
  const root = mkdtempSync(join(tmpdir(), "berth-composite-"));
  const [a, b] = [newMock(), newMock()];
  const open = async (runtimes: readonly [MockRuntime, MockRuntime]): Promise<Runtime> => {
    const children = [
      { name: "a", runtime: runtimes[0], os: ["linux"] },
      { name: "b", runtime: runtimes[1], os: os.b ?? ["linux"] },
    ];
    const composite = await openCompositeRuntime({ root, children });
    t.after(() => composite.close());
    return composite;
  };
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const children = [a.reopen(), b.reopen()] as const;
  return { a, b, children, composite: await open(children), reopen: () => open([a.reopen(), b.reopen()]) };
}

function newMock(): MockRuntime {
  const mock = createMockRuntime({ programs: simulateProgram });
  mock.control.publishImage(image, { config: demoConfigs.plain, layerSizes: [4096] });
  return mock;
}

async function has(runtime: Runtime, which: ContainerId): Promise<boolean> {
  try {
    await runtime.containerState(which);
    return true;
  } catch (error) {
    assert.ok(isBerthError(error, "not_found"), String(error));
    return false;
  }
}

describe("composite: choice", () => {
  test("without a reason for another one the primary gets the container", async (t) => {
    const { a, b, composite } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, { image });
    assert.deepEqual([await has(a, id), await has(b, id)], [true, false]);
  });

  test("the label names the backend", async (t) => {
    const { a, b, composite } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, onB);
    assert.deepEqual([await has(a, id), await has(b, id)], [false, true]);
  });

  test("a label with an unknown name is refused and names the known ones", async (t) => {
    const { composite } = await setUp(t);
    await composite.pullImage(image);
    const spec = { image, labels: { "dev.berth.isolation": "vm" } };
    await assert.rejects(composite.createContainer(id, spec), { code: "invalid_spec", message: /"vm"; there are a, b/ });
  });

  test("the wanted operating system decides", async (t) => {
    const { children, composite } = await setUp(t, { b: ["windows"] });
    children[1].control.failNext("createContainer", new BerthError("create_failed", "it was b that was asked"));
    const spec = { image, platform: { os: "windows", arch: "amd64" } } as const;
    await assert.rejects(composite.createContainer(id, spec), { code: "create_failed", message: /it was b/ });
  });

  test("an operating system nobody runs is for another node", async (t) => {
    const { composite } = await setUp(t);
    const spec = { image, platform: { os: "windows", arch: "amd64" } } as const;
    await assert.rejects(composite.createContainer(id, spec), (error: unknown) => {
      assert.ok(isBerthError(error, "route_to_peer"));
      assert.equal(error.fields.requiredOs, "windows");
      return true;
    });
  });

  test("WebAssembly needs a backend of that name", async (t) => {
    const { composite } = await setUp(t);
    await composite.pullImage(image);
    await assert.rejects(composite.createContainer(id, { image, serviceType: "wasm_http" }), { code: "invalid_spec", message: /"wasm"/ });
  });
});

describe("composite: owners", () => {
  test("after a restart every call still goes to the owner", async (t) => {
    const { composite, reopen } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, onB);
    await composite.startContainer(id);
    await composite.close();
    const again = await reopen();
    assert.equal(await again.waitContainer(id), 0);
    await again.removeContainer(id);
    await assert.rejects(again.containerState(id), { code: "not_found" });
  });

  test("an id nobody wrote down is found on the child that has it", async (t) => {
    const { b, composite } = await setUp(t);
    await b.pullImage(image);
    await b.createContainer(id, { image });
    assert.deepEqual(await composite.containerState(id), { state: "pending" });
  });

  test("an id that two children have is a conflict that names them", async (t) => {
    const { a, b, composite } = await setUp(t);
    for (const child of [a, b]) {
      await child.pullImage(image);
      await child.createContainer(id, { image });
    }
    await assert.rejects(composite.containerState(id), { code: "conflict", message: /a, b/ });
  });

  test("a create that fails leaves the choice what it was", async (t) => {
    const { a, b, composite } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, { image });
    // The container is on a: a create that belongs on b is a's conflict, and nothing appears on b.
    await assert.rejects(composite.createContainer(id, onB), { code: "conflict" });
    assert.deepEqual([await has(a, id), await has(b, id)], [true, false]);
    assert.deepEqual(await composite.containerState(id), { state: "pending" });
  });

  test("a container that was removed behind the composite can be created on another child", async (t) => {
    const { a, b, composite } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, { image });
    await a.removeContainer(id);
    await composite.createContainer(id, onB);
    assert.deepEqual([await has(a, id), await has(b, id)], [false, true]);
  });

  test("opening forgets what is gone, and keeps what a child that fails cannot speak about", async (t) => {
    const { a, composite, reopen } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, { image });
    await composite.close();
    const again = await reopen();
    assert.deepEqual(await again.containerState(id), { state: "pending" });
    await a.removeContainer(id);
    await again.close();
    await assert.rejects((await reopen()).containerState(id), { code: "not_found" });
  });
});

describe("composite: several answers", () => {
  test("lists are joined, an image both have is listed once", async (t) => {
    const { composite } = await setUp(t);
    await composite.pullImage(image);
    await composite.createContainer(id, { image });
    const other = containerId({ service: "web", replica: 2 });
    await composite.createContainer(other, onB);
    assert.equal((await composite.listContainers()).length, 2);
    assert.equal((await composite.listImages()).length, 1);
  });

  test("a child that fails fails the list: it is never a shorter one", async (t) => {
    const { children, composite } = await setUp(t);
    children[1].control.failNext("listContainers", new BerthError("internal", "the engine does not answer"));
    await assert.rejects(composite.listContainers(), { code: "internal", message: "the engine does not answer" });
  });

  test("an image goes from every child that has it; from none is not_found", async (t) => {
    const { a, b, composite } = await setUp(t);
    await composite.pullImage(image);
    await composite.removeImage(image, false);
    for (const child of [a, b]) await assert.rejects(child.inspectImageNative(image), { code: "not_found" });
    await assert.rejects(composite.removeImage(image, false), { code: "not_found" });
  });

  test("an image for another platform on one child is pulled on the other", async (t) => {
    const { b, children, composite } = await setUp(t);
    children[0].control.failNext("pullImage", new BerthError("wrong_platform", "not for a"));
    await composite.pullImage(image);
    assert.equal((await b.inspectImageNative(image)).os, "linux");
    for (const child of children) child.control.failNext("pullImage", new BerthError("wrong_platform", "for nobody"));
    await assert.rejects(composite.pullImage(image), { code: "wrong_platform", message: "for nobody" });
  });

  test("events of all children come in one stream that can be resumed", async (t) => {
    const { composite } = await setUp(t);
    const events = composite.extras?.events;
    assert.ok(events !== undefined);
    await composite.pullImage(image);
    const other = containerId({ service: "web", replica: 2 });
    const from = new Date();
    await composite.createContainer(id, { image });
    await composite.createContainer(other, onB);
    const creates = async (since: Date | string): Promise<{ readonly name: string; readonly cursor: string; readonly sequence: number }[]> => {
      const all = await Array.fromAsync(await events({ since, until: new Date() }));
      return all
        .filter(({ action, type }) => type === "container" && action === "create")
        .map(({ containerId: of, cursor, sequence }) => ({ name: of === undefined ? "" : `${of.service}-${of.replica}`, cursor, sequence }));
    };
    const all = await creates(from);
    assert.deepEqual(all.map(({ name }) => name).sort(), ["web-1", "web-2"]);
    assert.ok((all[0]?.sequence ?? 0) < (all[1]?.sequence ?? 0));
    assert.deepEqual(
      (await creates(all[0]?.cursor ?? "")).map(({ name }) => name),
      [all[1]?.name],
    );
    await assert.rejects(async () => events({ since: "garbage" }), { code: "invalid_spec" });
  });
});
