import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBerthError } from "../errors.ts";
import { hostPlatform, parsePlatform, platformMatches, platformRank, platformToString, toOciPlatform } from "./platform.ts";

const rank = (wanted: string, offered: string): number | undefined => platformRank(oci(wanted), oci(offered));

function oci(text: string): { os: string; architecture: string; variant: string | undefined } {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, variant };
}

describe("parsePlatform", () => {
  for (const [text, canonical] of [
    ["linux/amd64", "linux/amd64"],
    ["linux/arm/v7", "linux/arm/v7"],
    ["arm64", "linux/arm64"],
    ["Linux/X86_64", "linux/amd64"],
    ["linux/aarch64", "linux/arm64"],
    ["linux/armhf", "linux/arm/v7"],
    ["linux/armel", "linux/arm/v6"],
    ["i386", "linux/386"],
    ["windows/amd64", "windows/amd64"],
    ["darwin/arm64", "darwin/arm64"],
    ["macos/arm64", "darwin/arm64"],
    ["linux", `linux/${hostPlatform().architecture}`],
    ["constructor", "linux/constructor"],
  ] as const) {
    test(`${text} is ${canonical}`, () => assert.equal(platformToString(toOciPlatform(parsePlatform(text))), canonical));
  }

  for (const text of ["", "/", "linux/", "/amd64", "linux/amd64/", "linux/arm/v7/x", "plan9/amd64", "linux/a b", "linux/../x", "linux/\u0000"]) {
    test(`${JSON.stringify(text)} is none`, () => assert.throws(() => parsePlatform(text), { code: "invalid_spec" }));
  }

  test("reads back what platformToString wrote", () => {
    const arch = fc.constantFrom("amd64", "arm64", "arm", "386", "riscv64", "ppc64le", "s390x");
    const target = fc.record(
      {
        os: fc.constantFrom("linux" as const, "windows" as const, "macos" as const),
        arch,
        variant: fc.option(fc.constantFrom("v6", "v8"), { nil: undefined }),
      },
      { noNullPrototype: true },
    );
    fc.assert(fc.property(target, (wanted) => assert.deepEqual(parsePlatform(platformToString(toOciPlatform(wanted))), wanted)));
  });

  test("reads any text or throws invalid_spec", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          assert.equal(typeof parsePlatform(text).arch, "string");
        } catch (error) {
          assert.ok(isBerthError(error, "invalid_spec"));
        }
      }),
    );
  });
});

describe("platformRank", () => {
  for (const [wanted, offered, expected] of [
    ["linux/amd64", "linux/amd64", 0],
    ["linux/amd64", "linux/x86_64", 0],
    ["linux/amd64", "linux/amd64/v1", 0],
    ["linux/amd64", "linux/amd64/v3", undefined],
    ["linux/amd64/v3", "linux/amd64/v2", 1],
    ["linux/amd64/v3", "linux/amd64", 2],
    ["linux/arm64", "linux/arm64/v8", 0],
    ["linux/arm64/v8", "linux/arm64", 0],
    ["linux/arm64", "linux/arm64/v9", undefined],
    ["linux/arm64", "linux/arm/v7", undefined],
    ["linux/arm", "linux/arm/v7", 0],
    ["linux/arm", "linux/arm/v6", 1],
    ["linux/arm/v6", "linux/arm/v7", undefined],
    ["linux/arm/v7", "linux/arm/v5", 2],
    ["linux/amd64", "windows/amd64", undefined],
    ["linux/riscv64", "linux/riscv64", 0],
    ["linux/riscv64/rva", "linux/riscv64", undefined],
    ["linux/mips/softfloat", "linux/mips/softfloat", 0],
  ] as const) {
    test(`${offered} for ${wanted}: ${expected ?? "does not run"}`, () => {
      assert.equal(rank(wanted, offered), expected);
      assert.equal(platformMatches(oci(wanted), oci(offered)), expected !== undefined);
    });
  }

  test("windows asks for the build", () => {
    const [wanted, base] = [
      { os: "windows", architecture: "amd64", osVersion: "10.0.20348.100" },
      { os: "windows", architecture: "amd64" },
    ];
    assert.equal(platformMatches(wanted, { ...base, osVersion: "10.0.20348.999" }), true);
    assert.equal(platformMatches(wanted, { ...base, osVersion: "10.0.17763.1" }), false);
    assert.equal(platformMatches(wanted, base), true);
  });
});
