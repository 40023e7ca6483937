import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { defaultCapabilities } from "../spec/capabilities.ts";
import type { OciSeccomp } from "../spec/runtime-spec.ts";
import { convertSeccomp, defaultSeccomp, kernelAtLeast, parseSeccompProfile, seccompFor } from "./seccomp.ts";

const facts = { capabilities: defaultCapabilities, arch: "amd64", kernel: "6.1.0-18-amd64" };

function actionsOf(profile: OciSeccomp, name: string): readonly string[] {
  return profile.syscalls
    .filter((rule) => rule.names.includes(name))
    .map((rule) => `${rule.action}${rule.errnoRet === undefined ? "" : ` ${rule.errnoRet}`}${rule.args ? " if" : ""}`);
}

describe("the default profile", () => {
  const profile = defaultSeccomp(facts);
  test("allows, refuses and does not know", () => {
    assert.deepEqual(actionsOf(profile, "openat"), ["SCMP_ACT_ALLOW"]);
    for (const name of ["fchmodat2", "futex_waitv", "cachestat", "map_shadow_stack", "openat2", "statx"])
      assert.deepEqual(actionsOf(profile, name), ["SCMP_ACT_ALLOW"], name);
    for (const name of ["unshare", "mount", "setns", "bpf", "io_uring_setup", "keyctl", "reboot"])
      assert.deepEqual(actionsOf(profile, name), ["SCMP_ACT_ERRNO 1"], name);
    assert.deepEqual(actionsOf(profile, "clone3"), ["SCMP_ACT_ERRNO 38"]);
    assert.deepEqual(actionsOf(profile, "ptrace"), ["SCMP_ACT_ALLOW"]);
    assert.deepEqual(actionsOf(profile, "a_call_of_tomorrow"), []);
    assert.deepEqual([profile.defaultAction, profile.defaultErrnoRet], ["SCMP_ACT_ERRNO", 38]);
  });
  test("namespaces cannot be made by clone, and only s390 finds its flags elsewhere", () => {
    const indexes = (arch: string): unknown => [
      ...new Set(
        defaultSeccomp({ ...facts, arch })
          .syscalls.filter((rule) => rule.names.includes("clone"))
          .map((rule) => rule.args?.[0]?.index),
      ),
    ];
    assert.deepEqual([indexes("amd64"), indexes("s390x")], [[0], [1]]);
    const refused = profile.syscalls
      .filter((rule) => rule.names.includes("clone") && rule.action === "SCMP_ACT_ERRNO")
      .map((rule) => rule.args?.[0]?.value ?? 0);
    assert.equal(
      refused.reduce((mask, bit) => mask | bit, 0),
      0x7e020000,
    );
  });
  test("follows capabilities, architecture and kernel", () => {
    const admin = defaultSeccomp({ ...facts, capabilities: ["CAP_SYS_ADMIN"] });
    assert.deepEqual(actionsOf(admin, "mount"), ["SCMP_ACT_ALLOW"]);
    assert.deepEqual(actionsOf(admin, "clone"), ["SCMP_ACT_ALLOW"]);
    assert.deepEqual(actionsOf(admin, "chroot"), ["SCMP_ACT_ERRNO 1"]);
    assert.deepEqual(actionsOf(defaultSeccomp({ ...facts, kernel: "4.4.0" }), "ptrace"), ["SCMP_ACT_ERRNO 1"]);
    assert.deepEqual(profile.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    assert.deepEqual(defaultSeccomp({ ...facts, arch: "arm64" }).architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
    assert.deepEqual(defaultSeccomp({ ...facts, arch: "riscv64" }).architectures, ["SCMP_ARCH_RISCV64"]);
  });
  test("is converted once for one set of capabilities", () => assert.equal(defaultSeccomp({ ...facts }), profile));
  test("holds nothing an OCI runtime would not know", () => {
    for (const rule of profile.syscalls)
      assert.deepEqual(
        Object.keys(rule).filter((key) => !["names", "action", "errnoRet", "args"].includes(key)),
        [],
      );
  });
});

describe("securityOpt seccomp", () => {
  const profile = '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"mkdir","action":"SCMP_ACT_ERRNO","errnoRet":13}]}';
  test("unconfined, privileged, path, text", () => {
    const directory = mkdtempSync(join(tmpdir(), "berth-seccomp-"));
    try {
      const path = join(directory, "p.json");
      writeFileSync(path, profile);
      assert.equal(seccompFor("unconfined", { privileged: false, ...facts }), undefined);
      assert.equal(seccompFor(undefined, { privileged: true, ...facts }), undefined);
      const expected: OciSeccomp = {
        defaultAction: "SCMP_ACT_ALLOW",
        architectures: ["SCMP_ARCH_X86_64"],
        syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
      };
      for (const option of [path, profile]) assert.deepEqual(seccompFor(option, { privileged: true, ...facts }), expected);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
  test("a bad profile is refused", () => {
    for (const option of [
      "/no/such/file",
      "{",
      "{}",
      '{"defaultAction":"x","syscalls":[{}]}',
      '{"defaultAction":"x","syscalls":[{"names":["a"],"action":"b","args":[{}]}]}',
    ]) {
      assert.throws(
        () => seccompFor(option, { privileged: false, ...facts }),
        (error) => isBerthError(error, "invalid_spec"),
        option,
      );
    }
  });
  test("a custom default of EPERM gets no further rules", () => {
    const parsed = parseSeccompProfile(
      '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}',
      "x",
    );
    assert.deepEqual(convertSeccomp(parsed, facts).syscalls, []);
  });
});

test("kernel versions", () => {
  assert.equal(kernelAtLeast("6.18.44-fc", "4.8"), true);
  assert.equal(kernelAtLeast("4.8.0", "4.8"), true);
  assert.equal(kernelAtLeast("4.7-rc1", "4.8"), false);
  assert.equal(kernelAtLeast("3.10.0", "4.8"), false);
});
