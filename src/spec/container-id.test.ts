import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  containerId,
  containerIdToString,
  type ContainerId,
  hexId,
  initialName,
  nativeName,
  parseContainerId,
  sameContainerId,
  shortId,
  standaloneId,
} from "./container-id.ts";

/** Services that look as much like the rest of an id as the rules allow. */
const service = fc
  .array(fc.oneof(fc.stringMatching(/^[a-zA-Z0-9_.]{1,4}$/), fc.constantFrom("rep", "on", "default", "standalone", "1", "0")), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join("-"))
  .filter((text) => /^[a-zA-Z0-9]/.test(text));
const role = fc.oneof(fc.constantFrom("default", "rep", "on"), fc.stringMatching(/^[a-z][a-z0-9]{0,29}$/));
const replica = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffff_ffff }));
const nodeId = fc.oneof(fc.nat(3), fc.maxSafeNat());
const anyId = fc.record({ service, role, replica, nodeId }).map(containerId);

describe("the string form", () => {
  for (const [fields, text] of [
    [{ service: "web", replica: 3 }, "web-rep-3"],
    [{ service: "db", replica: 2, role: "read", nodeId: 7 }, "db-read-2-on-7"],
    [{ service: "alpine", replica: 1, nodeId: 1 }, "alpine-default-1-on-1"],
    [{ service: "x-on-5", replica: 1 }, "x-on-5-rep-1"],
    [{ service: "a", role: "b" }, "a-b-0-on-0"],
    [{ service: "standalone-web" }, "standalone-web-rep-0"],
  ] as const) {
    test(text, () => {
      const id = containerId(fields);
      assert.equal(containerIdToString(id), text);
      assert.deepEqual(parseContainerId(text), id);
      assert.equal(nativeName(id), `berth-${text}`);
    });
  }

  test("reads back as the same id, whatever the id", () => {
    fc.assert(
      fc.property(anyId, (id) => assert.deepEqual(parseContainerId(containerIdToString(id)), id)),
      { numRuns: 2000 },
    );
  });

  test("tells any two ids apart", () => {
    fc.assert(
      fc.property(anyId, anyId, (a, b) => {
        assert.equal(containerIdToString(a) === containerIdToString(b), sameContainerId(a, b));
        assert.equal(hexId("uuid", a) === hexId("uuid", b), sameContainerId(a, b));
      }),
    );
  });

  test("is the only spelling: what is read writes back the same", () => {
    const text = fc.array(fc.constantFrom("a", "-", "rep", "on", "-rep-", "-on-", "0", "1", "01", "default", "4294967296", "9007199254740993"), {
      maxLength: 9,
    });
    fc.assert(
      fc.property(text, (parts) => {
        const id = parseContainerId(parts.join(""));
        if (id !== undefined) assert.equal(containerIdToString(id), parts.join(""));
      }),
      { numRuns: 2000 },
    );
  });

  for (const text of [
    "",
    "web",
    "web-rep-",
    "web-rep-x",
    "-rep-1",
    "web-rep-01",
    "web-rep-4294967296",
    "a-b-1-on-9007199254740993",
    "a-default-0-on-0",
    "a-B-1-on-1",
    "web-rep-1\n",
    "a".repeat(64),
    `${"a".repeat(201)}-rep-1`,
    "a/b-rep-1",
    "../a-rep-1",
  ]) {
    test(`${JSON.stringify(text.slice(0, 70))} is no id`, () => assert.equal(parseContainerId(text), undefined));
  }
});

describe("a container id", () => {
  for (const fields of [
    { service: "" },
    { service: "-a" },
    { service: "a/b" },
    { service: "a b" },
    { service: "a".repeat(201) },
    { service: "a", replica: -1 },
    { service: "a", replica: 1.5 },
    { service: "a", replica: 2 ** 32 },
    { service: "a", replica: Number.NaN },
    { service: "a", role: "" },
    { service: "a", role: "a-b" },
    { service: "a", role: "1" },
    { service: "a", role: "a".repeat(31) },
    { service: "a", nodeId: -1 },
    { service: "a", nodeId: 2 ** 53 },
  ]) {
    test(`refuses ${JSON.stringify(fields).slice(0, 80)}`, () => assert.throws(() => containerId(fields), { code: "invalid_spec" }));
  }

  test("has a native name under Docker's rule", () => {
    fc.assert(fc.property(anyId, (id) => assert.match(nativeName(id), /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/)));
  });

  test("starts with the name of a standalone container, else its native one", () => {
    assert.equal(initialName(standaloneId("web-1")), "web-1");
    assert.equal(initialName(containerId({ service: "web" })), "berth-web-rep-0");
    const clustered: ContainerId = containerId({ service: "standalone-web", nodeId: 1 });
    assert.equal(initialName(clustered), "berth-standalone-web-default-0-on-1");
    assert.equal(initialName(containerId({ service: "standalone-" })), "berth-standalone--rep-0");
    assert.throws(() => standaloneId(""), { code: "invalid_spec" });
  });

  test("has a hex id that depends on the engine and on nothing else", () => {
    const id = standaloneId("web");
    assert.match(hexId("one", id), /^[0-9a-f]{64}$/);
    assert.equal(hexId("one", id), hexId("one", standaloneId("web")));
    assert.notEqual(hexId("one", id), hexId("two", id));
    assert.equal(shortId(hexId("one", id)), hexId("one", id).slice(0, 12));
  });
});
