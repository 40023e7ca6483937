import assert from "node:assert/strict";
import { test } from "node:test";
import { isBerthError } from "../errors.ts";
import { instanceNames, networkName, tablePattern } from "./names.ts";

const plain = instanceNames({ uuid: "a", defaultRoot: true });
const other = instanceNames({ uuid: "a", defaultRoot: false });

test("the default root has the plain names", () => {
  assert.deepEqual([plain.table, plain.bridge("bridge")], ["berth", "berth0"]);
});

test("names fit the kernel's 15 characters and differ between state roots", () => {
  for (const names of [plain, other]) {
    assert.match(names.table, tablePattern);
    for (const name of [names.bridge("bridge"), names.bridge("x".repeat(64)), names.hostInterface("k".repeat(300), "eth0")]) assert.ok(name.length <= 15, name);
  }
  assert.notEqual(plain.table, other.table);
  for (const network of ["bridge", "web"]) assert.notEqual(plain.bridge(network), other.bridge(network));
  assert.notEqual(plain.hostInterface("k", "eth0"), other.hostInterface("k", "eth0"));
  assert.notEqual(plain.hostInterface("k", "eth0"), plain.hostInterface("k", "eth1"));
});

test("network names obey Docker's rule", () => {
  assert.equal(networkName("default"), "bridge");
  for (const name of ["web", "0-a_b", "My.Net", "x".repeat(64)]) assert.equal(networkName(name), name);
  for (const name of ["", "-a", "a b", "a/b", "x".repeat(129), "a\n", "../x"])
    assert.throws(
      () => networkName(name),
      (error) => isBerthError(error, "invalid_spec"),
    );
});
