import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { assertFilterKeys, decodeFilters, encodeFilters } from "./filters.ts";
import { decodePathStat, encodePathStat, goFileMode, kernelFileMode } from "./path-stat.ts";
import { decodeRegistryAuth, encodeRegistryAuth } from "./registry-auth.ts";

describe("filters", () => {
  test("both forms are read, and what is written is read back", () => {
    assert.deepEqual(decodeFilters('{"label":["a=b","c"],"status":{"running":true,"exited":false}}'), { label: ["a=b", "c"], status: ["running"] });
    assert.deepEqual(decodeFilters(encodeFilters({ label: ["x=ü", "__proto__"], name: [] })), { label: ["x=ü", "__proto__"] });
    assert.deepEqual([decodeFilters(undefined), decodeFilters(""), decodeFilters("{}")], [{}, {}, {}]);
  });

  test("anything else is refused", () => {
    for (const bad of ["label=a", "[]", '{"label":"a"}', '{"label":[1]}', '{"label":{"a":1}}', "null"]) {
      assert.throws(() => decodeFilters(bad), { code: "invalid_spec" }, bad);
    }
    assert.throws(() => assertFilterKeys({ lable: ["a"] }, ["label"]), { code: "invalid_spec", message: /lable.*label/ });
  });
});

describe("path stat header", () => {
  const kinds = [0o040755, 0o100644, 0o120777, 0o060660, 0o020666, 0o010600, 0o140755, 0o104755, 0o102755, 0o041777];

  test("modes of every kind of file survive Go's spelling", () => {
    for (const mode of kinds) assert.equal(kernelFileMode(goFileMode(mode)).toString(8), mode.toString(8));
    assert.equal(goFileMode(0o040755), 2147484141);
    assert.equal(goFileMode(0o020666), 69206454);
  });

  test("a stat is read back whole", () => {
    const stat = { name: "ü", size: 5, mode: 0o120777, mtime: "2026-11-30T01:02:03.000000004Z", linkTarget: "/etc/x" };
    assert.deepEqual(decodePathStat(encodePathStat(stat)), stat);
  });

  test("no header and garbage are told apart from a stat", () => {
    for (const bad of [undefined, "", "%%%", Buffer.from("[]").toString("base64"), Buffer.from('{"name":"x"}').toString("base64")]) {
      assert.throws(() => decodePathStat(bad), { code: "internal" });
    }
  });
});

describe("registry auth header", () => {
  test("what is written is read back, in either alphabet, padded or not", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (username, password) => {
        const header = encodeRegistryAuth({ username, password });
        for (const text of [header, header.replace(/=+$/, ""), header.replaceAll("-", "+").replaceAll("_", "/")]) {
          assert.deepEqual(decodeRegistryAuth(text), { username, password });
        }
      }),
    );
  });

  test("empty is nobody; garbage is refused without quoting it", () => {
    for (const empty of [undefined, "", Buffer.from("{}").toString("base64"), encodeRegistryAuth({ username: "", password: "" })]) {
      assert.equal(decodeRegistryAuth(empty), undefined);
    }
    assert.throws(
      () => decodeRegistryAuth("c2VjcmV0"),
      (error: Error) => /x-registry-auth/.test(error.message) && !/c2Vj|secret/.test(error.message),
    );
  });
});
