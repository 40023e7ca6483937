import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BerthError, isBerthError } from "../errors.ts";
import type { RuntimeContainerSummary } from "../runtime/types.ts";
import { type ContainerId, containerId, standaloneId } from "../spec/container-id.ts";
import { checkName, generateName, namePattern } from "./names.ts";
import { findContainer, resolveContainer } from "./resolve.ts";
import { createStandalone } from "./standalone.ts";

const hexA = `abcdef012345${"0".repeat(52)}`;
const hexB = `abcdef999999${"1".repeat(52)}`;

function summary(id: ContainerId, hexId: string, name: string): RuntimeContainerSummary {
  return { runtimeId: `berth-${name}`, containerId: id, hexId, name };
}

const web = summary(standaloneId("web"), hexA, "web");
const read = summary(containerId({ service: "db", role: "read", replica: 2, nodeId: 7 }), hexB, "renamed");
const abc = summary(standaloneId("abc"), `fff${"2".repeat(61)}`, "abc");
const foreign: RuntimeContainerSummary = { runtimeId: "x", name: "foreign", hexId: `e${"3".repeat(63)}` };
const all = [web, read, abc, foreign];

describe("a container reference", () => {
  test("is found by full id, prefix, name and string form", () => {
    assert.equal(findContainer(all, hexA), web);
    assert.equal(findContainer(all, hexA.slice(0, 12)), web);
    assert.equal(findContainer(all, "abcdef0"), web);
    assert.equal(findContainer(all, "web"), web);
    assert.equal(findContainer(all, "/web"), web);
    assert.equal(findContainer(all, "standalone-web-rep-0"), web);
    assert.equal(findContainer(all, "db-read-2-on-7"), read);
    assert.equal(findContainer(all, "renamed"), read);
  });

  test("is a name before it is a short prefix", () => {
    assert.equal(findContainer(all, "abc"), abc);
  });

  test("that fits several ids is refused", () => {
    assert.throws(
      () => findContainer(all, "abcdef"),
      (error) => isBerthError(error, "invalid_spec"),
    );
  });

  test("that fits nothing is not_found, as is a foreign container", async () => {
    for (const ref of ["nope", "foreign", "", "abcdef0123456"]) {
      await assert.rejects(
        resolveContainer({ listContainers: () => Promise.resolve(all) }, ref),
        (error) => isBerthError(error, "not_found") && error.message === `No such container: ${ref}`,
        ref,
      );
    }
  });
});

describe("names", () => {
  test("generated ones are valid and free", () => {
    for (let i = 0; i < 200; i++) assert.match(generateName(new Set()), namePattern);
    const first = generateName(new Set(), () => 0);
    let calls = 0;
    const other = generateName(new Set([first]), () => (calls++ < 8 ? 0 : 0.5));
    assert.notEqual(other, first);
  });

  test("follow Docker's rule", () => {
    assert.equal(checkName("/a.b-c_d"), "a.b-c_d");
    for (const bad of ["", "a", "-a", "a b", "a/b", "ä1"]) assert.throws(() => checkName(bad), /invalid container name/);
  });
});

describe("createStandalone", () => {
  test("tries another random name after a conflict, never another for a given name", async () => {
    const created: string[] = [];
    const runtime = {
      createContainer: async (id: ContainerId): Promise<void> => {
        created.push(id.service);
        if (created.length < 3) throw new BerthError("conflict", "name in use");
      },
      removeContainer: async () => {},
      renameContainer: async () => {},
      listContainers: async () => [],
    };
    const id = await createStandalone(runtime, { image: "x" });
    assert.equal(id.service, created[2]);
    created.length = 0;
    await assert.rejects(createStandalone(runtime, { image: "x" }, { name: "web" }), /name in use/);
    assert.deepEqual(created, ["standalone-web"]);
  });
});
