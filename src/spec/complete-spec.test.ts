import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { capabilitiesOfMask, wantedCapabilities } from "./capabilities.ts";
import { completeSpec, resolveEnvironment } from "./complete-spec.ts";
import { parseSecurityOptions } from "./security-opt.ts";
import type { ServiceSpec } from "./service-spec.ts";

/** Specs also arrive from JSON, so the tests write what the types would refuse. */
function complete(fields: object): ReturnType<typeof completeSpec> {
  return completeSpec({ image: "busybox", ...fields } as ServiceSpec);
}

function refused(fields: object, pattern: RegExp, code: "invalid_spec" | "unsupported" = "invalid_spec"): void {
  assert.throws(
    () => complete(fields),
    (error) => {
      assert.ok(isBerthError(error, code), String(error));
      assert.match(error.message, pattern);
      return true;
    },
  );
}

test("an image alone is a whole spec", () => {
  const { spec, warnings } = completeSpec({ image: "busybox" });
  assert.deepEqual(warnings, []);
  assert.deepEqual(spec.image, { name: "busybox", pullPolicy: "if_not_present", sourcePolicy: "local_first" });
  assert.deepEqual(spec.networkMode, { mode: "default" });
  assert.deepEqual(spec.logs, { destination: "disk", maxSizeBytes: 104_857_600, maxFiles: 5, retentionSecs: 604_800 });
  assert.deepEqual(spec.restartPolicy, { kind: "no" });
  assert.equal(spec.serviceType, "standard");
  assert.equal(spec.tty || spec.stdinOpen || spec.privileged || spec.readOnlyRootFs || spec.hostNetwork || spec.deleteOnExit, false);
});

test("a complete spec survives JSON and a second completion of its parts", () => {
  const { spec } = complete({ storage: [{ type: "tmpfs", target: "/t", size: "1Mi" }], health: { check: { type: "tcp", port: 1 }, interval: "1s" } });
  const again = complete({ storage: spec.storage, health: spec.health, resources: spec.resources, restartPolicy: spec.restartPolicy, logs: spec.logs });
  assert.deepEqual(JSON.parse(JSON.stringify(again.spec.storage)), JSON.parse(JSON.stringify(spec.storage)));
  assert.deepEqual(again.spec.health, spec.health);
});

describe("typo protection", () => {
  test("at every level, with the right name when it is near", () => {
    refused({ comand: {} }, /unknown key "comand"/);
    refused({ read_only_root_fs: true }, /did you mean "readOnlyRootFs"/);
    refused({ resources: { memroy: 1 } }, /resources: unknown key "memroy"/);
    refused({ command: { arg: [] } }, /did you mean "args"/);
    refused({ storage: [{ type: "tmpfs", target: "/t", readonly: true }] }, /storage\[0\]: unknown key "readonly"/);
    refused({ lifecycle: { delete: true } }, /lifecycle/);
    refused({ image: { name: "x", policy: "never" } }, /image: unknown key/);
  });
  test("fields of other layers pass", () => void complete({ scale: 3, depends: [], wasm: {} }));
  test("types are checked", () => {
    refused({ tty: "yes" }, /tty: expected true or false/);
    refused({ env: { A: 1 } }, /env.A: expected a string/);
    refused({ env: { "A=B": "x" } }, /not a variable name/);
    refused({ env: { A: "x\0y" } }, /NUL/);
    refused({ command: { args: "sleep" } }, /command.args: expected a list/);
    refused({ image: "" }, /image.name/);
    refused({ image: { name: "x", pullPolicy: "sometimes" } }, /pullPolicy/);
    assert.throws(
      () => completeSpec(JSON.parse("null")),
      (error) => isBerthError(error, "invalid_spec"),
    );
  });
});

describe("network", () => {
  const mode = (networkMode: unknown, more: object = {}): unknown => complete({ networkMode, ...more }).spec.networkMode;
  test("text and tagged forms", () => {
    assert.deepEqual(mode("bridge:web"), { mode: "bridge", name: "web" });
    assert.deepEqual(mode({ bridge: { name: "web" } }), { mode: "bridge", name: "web" });
    assert.deepEqual(mode({ mode: "bridge", name: "web" }), { mode: "bridge", name: "web" });
    assert.deepEqual(mode({ bridge: {} }), { mode: "bridge" });
    assert.deepEqual(mode("container:abc"), { mode: "container", id: "abc" });
    assert.deepEqual(mode({ container: { id: "y" } }), { mode: "container", id: "y" });
    assert.deepEqual(mode("none"), { mode: "none" });
    for (const bad of ["mynet", "container:", "container", "host:x", "bridge:", "bridge:a b", {}, { bridge: {}, host: {} }, 7]) {
      refused({ networkMode: bad }, /networkMode/);
    }
  });
  test("hostNetwork folds into the mode unless one was given", () => {
    assert.deepEqual(mode(undefined, { hostNetwork: true }), { mode: "host" });
    const { spec } = complete({ networkMode: "none", hostNetwork: true });
    assert.deepEqual([spec.networkMode.mode, spec.hostNetwork], ["none", false]);
    assert.equal(complete({ networkMode: "host" }).spec.hostNetwork, true);
  });
  test("ports", () => {
    const { spec } = complete({
      portMappings: [
        { containerPort: 80, hostIp: "" },
        { containerPort: 53, protocol: "udp", hostPort: 0, hostIp: "::1" },
      ],
    });
    assert.deepEqual(JSON.parse(JSON.stringify(spec.portMappings)), [
      { containerPort: 80, protocol: "tcp", hostIp: "0.0.0.0" },
      { containerPort: 53, protocol: "udp", hostIp: "::1" },
    ]);
    refused({ portMappings: [{ containerPort: 0 }] }, /portMappings\[0\].containerPort/);
    refused({ portMappings: [{ containerPort: 1, protocol: "sctp" }] }, /protocol/);
    refused({ portMappings: [{ containerPort: 1, hostIp: "localhost" }] }, /hostIp/);
    refused({ expose: ["0"] }, /expose\[0\]/);
    refused({ expose: ["http"] }, /expose\[0\]/);
  });
  test("hosts and resolvers", () => {
    assert.deepEqual(complete({ extraHosts: ["a:::1", "b:host-gateway", "c:[::2]"] }).spec.extraHosts, ["a:::1", "b:host-gateway", "c:::2"]);
    refused({ extraHosts: ["a"] }, /extraHosts\[0\]/);
    refused({ extraHosts: ["a b:1.2.3.4"] }, /extraHosts\[0\]/);
    refused({ extraHosts: ["a:1.2.3.4\nb"] }, /extraHosts\[0\]/);
    refused({ dns: ["dns.example"] }, /dns\[0\]/);
    refused({ hostname: "-x" }, /hostname/);
    refused({ hostname: "x\n" }, /hostname/);
  });
  test("what the host network makes useless is reported", () => {
    const { spec, warnings } = complete({ networkMode: "host", hostname: "x", dns: ["1.1.1.1"], portMappings: [{ containerPort: 1 }] });
    assert.deepEqual([spec.hostname, spec.dns, spec.portMappings], [undefined, [], []]);
    assert.equal(warnings.length, 3);
    refused({ networkMode: "container:x", hostname: "y" }, /hostname/);
    refused({ networkMode: "container:x", portMappings: [{ containerPort: 1 }] }, /portMappings/);
  });
});

describe("storage", () => {
  test("later entries win on equal targets", () => {
    const { spec } = complete({
      storage: [
        { type: "tmpfs", target: "/a" },
        { type: "anonymous", target: "/b" },
        { type: "bind", source: "/x/", target: "/a/." },
      ],
    });
    assert.deepEqual(
      spec.storage.map(({ type, target }) => [type, target]),
      [
        ["anonymous", "/b"],
        ["bind", "/a"],
      ],
    );
  });
  test("sizes become bytes", () => {
    const [tmpfs] = complete({ storage: [{ type: "tmpfs", target: "/a", size: "1Mi", mode: 0o1777 }] }).spec.storage;
    assert.ok(tmpfs?.type === "tmpfs");
    assert.deepEqual([tmpfs.size, tmpfs.mode], [1_048_576, 0o1777]);
  });
  test("refused", () => {
    refused({ storage: [{ type: "bind", source: "x", target: "/a" }] }, /source.*absolute/);
    refused({ storage: [{ type: "bind", source: "/x", target: "a" }] }, /target.*absolute/);
    refused({ storage: [{ type: "bind", source: "/x", target: "/a/.." }] }, /root/);
    refused({ storage: [{ type: "named", name: "../web", target: "/a" }] }, /volume name/);
    refused({ storage: [{ type: "nfs", target: "/a" }] }, /storage\[0\].type/);
    refused({ storage: [{ type: "s3", bucket: "b", prefix: "", target: "/a" }] }, /s3/, "unsupported");
  });
  test("network tier warns", () => {
    assert.match(complete({ storage: [{ type: "named", name: "v", target: "/v", tier: "network" }] }).warnings[0] ?? "", /SQLite/);
  });
});

describe("security", () => {
  test("capabilities", () => {
    const { spec } = complete({ capabilities: ["net_admin", "CAP_NET_ADMIN", "all"], capDrop: ["Mknod"] });
    assert.deepEqual([spec.capabilities, spec.capDrop], [["CAP_NET_ADMIN", "ALL"], ["CAP_MKNOD"]]);
    refused({ capabilities: ["NET_ADMN"] }, /NET_ADMN/);
    refused({ capDrop: ["root"] }, /capDrop/);
  });
  test("added and dropped", () => {
    const wanted = (add: string[], drop: string[], privileged = false): readonly string[] => wantedCapabilities({ add, drop, privileged });
    assert.equal(wanted([], []).length, 14);
    assert.deepEqual(wanted(["CAP_NET_ADMIN"], ["ALL"]), ["CAP_NET_ADMIN"]);
    assert.deepEqual(wanted(["CAP_CHOWN"], ["CAP_CHOWN"]).includes("CAP_CHOWN"), false);
    assert.equal(wanted(["ALL"], ["CAP_SYS_ADMIN"]).length, 40);
    assert.equal(wanted([], [], true).length, 41);
    assert.deepEqual(capabilitiesOfMask("0000000000000021"), ["CAP_CHOWN", "CAP_KILL"]);
    assert.equal(capabilitiesOfMask("000001fffeffffff").includes("CAP_SYS_RESOURCE"), false);
  });
  test("securityOpt", () => {
    const read = parseSecurityOptions([
      "no-new-privileges",
      "seccomp=unconfined",
      "label=disable",
      "label=type:x",
      "apparmor=p",
      "systempaths=unconfined",
      "writable-cgroups=true",
    ]);
    assert.deepEqual(read, {
      labels: ["disable", "type:x"],
      noNewPrivileges: true,
      systemPathsUnconfined: true,
      writableCgroups: true,
      seccomp: "unconfined",
      apparmor: "p",
    });
    assert.equal(parseSecurityOptions(["no-new-privileges:false"]).noNewPrivileges, false);
    for (const bad of ["seccomp", "seccomp=", "seccomp=profile.json", "nope=1", "systempaths=x", "no-new-privileges=maybe", "writable-cgroups=2"]) {
      refused({ securityOpt: [bad] }, /securityOpt/);
    }
  });
  test("sysctls", () => {
    assert.deepEqual(complete({ sysctls: { "net.ipv4.ip_forward": "1", "kernel.shmmax": "1", "fs.mqueue.msg_max": "9" } }).spec.sysctls["kernel.shmmax"], "1");
    refused({ sysctls: { "vm.swappiness": "1" } }, /not namespaced/);
    refused({ sysctls: { "kernel.core_pattern": "|/x" } }, /not namespaced/);
    refused({ sysctls: { "net/../kernel/core_pattern": "|/x" } }, /not a kernel parameter/);
    refused({ sysctls: { "net.a": "1" }, networkMode: "host" }, /host network/);
    refused({ sysctls: { "kernel.msgmax": "1" }, ipcMode: "host" }, /ipcMode/);
  });
  test("namespaces", () => {
    assert.equal(complete({ pidMode: "host" }).spec.pidMode, "host");
    assert.equal(complete({ ipcMode: "private" }).spec.ipcMode, undefined);
    refused({ pidMode: "container:" }, /pidMode/);
    refused({ ipcMode: "x" }, /ipcMode/);
    refused({ usernsMode: "remap" }, /usernsMode/, "unsupported");
    refused({ cgroupParent: "/a/../../b" }, /cgroupParent/);
    assert.equal(complete({ usernsMode: "host" }).spec.usernsMode, "host");
  });
  test("devices", () => {
    const { devices } = complete({ devices: [{ path: "/dev/fuse" }, { path: "/dev/x", read: false, write: false, containerPath: "/dev/y" }] }).spec;
    assert.deepEqual(devices[0], { path: "/dev/fuse", containerPath: "/dev/fuse", read: true, write: true, mknod: false });
    assert.deepEqual(devices[1], { path: "/dev/x", containerPath: "/dev/y", read: true, write: true, mknod: false });
  });
  test("users", () => {
    for (const user of ["0", "web", "web:www", "1:2"]) assert.equal(complete({ user }).spec.user, user);
    for (const user of [":", "a:", ":b", "a:b:c", "a b"]) refused({ user }, /user/);
  });
});

describe("limits and policy", () => {
  test("ulimits", () => {
    assert.deepEqual(complete({ ulimits: { nofile: { soft: 5 }, core: {}, nproc: { hard: -1 }, stack: { soft: 1, hard: -1 } } }).spec.ulimits, {
      nofile: { soft: 5, hard: 5 },
      core: { soft: 0, hard: 0 },
      nproc: { soft: -1, hard: -1 },
      stack: { soft: 1, hard: -1 },
    });
    refused({ ulimits: { files: {} } }, /unknown name/);
    refused({ ulimits: { core: { soft: 2, hard: 1 } } }, /exceeds/);
    refused({ ulimits: { core: { soft: -1, hard: 1 } } }, /exceeds/);
  });
  test("resources", () => {
    const { resources } = complete({ resources: { memory: "64Mi", memorySwap: "-1", cpu: 1.5, cpuset: "0-1,3", pidsLimit: -1 } }).spec;
    assert.deepEqual([resources.memory, resources.memorySwap, resources.cpu, resources.pidsLimit], [67_108_864, -1, 1.5, -1]);
    refused({ resources: { memorySwap: 1 } }, /requires resources.memory/);
    refused({ resources: { memory: "64Mi", memorySwap: "32Mi" } }, /less than/);
    refused({ resources: { memory: "64M" } }, /Ki, Mi, Gi or Ti/);
    refused({ resources: { memory: 0 } }, /resources.memory/);
    refused({ resources: { cpu: 0 } }, /resources.cpu/);
    refused({ resources: { cpuset: "3-1" } }, /resources.cpuset/);
    refused({ resources: { blkioWeight: 5 } }, /blkioWeight/);
    refused({ resources: { oomScoreAdj: 1001 } }, /oomScoreAdj/);
    refused({ resources: { gpu: {} } }, /gpu/, "unsupported");
  });
  test("restart and health", () => {
    const { spec } = complete({ restartPolicy: { kind: "on-failure", maxAttempts: 3, delay: "2s" }, health: { check: { type: "http", url: "http://x/" } } });
    assert.deepEqual(spec.restartPolicy, { kind: "on_failure", maxAttempts: 3, delay: 2000 });
    assert.deepEqual(spec.health, {
      startGrace: 5000,
      interval: 10_000,
      timeout: 5000,
      retries: 3,
      check: { type: "http", url: "http://x/", expectStatus: 200 },
    });
    refused({ restartPolicy: { kind: "always" }, lifecycle: { deleteOnExit: true } }, /deleteOnExit/);
    refused({ restartPolicy: { kind: "always", maxAttempts: 1 } }, /maxAttempts/);
    refused({ restartPolicy: { kind: "sometimes" } }, /restartPolicy.kind/);
    refused({ health: { check: { type: "http", url: "ftp://x" } } }, /health.check.url/);
    refused({ health: { interval: "0s", check: { type: "tcp", port: 1 } } }, /health.interval/);
  });
  test("stop signal and grace", () => {
    const { spec } = complete({ stopSignal: "rtmin+3", stopGracePeriod: "1m 30s" });
    assert.deepEqual([spec.stopSignal, spec.stopGracePeriodMs], ["rtmin+3", 90_000]);
    refused({ stopSignal: "NOPE" }, /stopSignal.*NOPE/);
    refused({ stopGracePeriod: "soon" }, /stopGracePeriod/);
  });
});

describe("environment", () => {
  test("engine variables are filled in", () => {
    assert.deepEqual(resolveEnvironment({ A: "$E:HOME", B: "plain $E:X" }, { HOME: "/h" }), { A: "/h", B: "plain $E:X" });
  });
  test("a missing one and every secret is refused", () => {
    assert.throws(
      () => resolveEnvironment({ A: "$E:NOPE" }, {}),
      (error) => isBerthError(error, "invalid_spec") && /NOPE/.test(error.message),
    );
    assert.throws(
      () => resolveEnvironment({ A: "$S:token" }, {}),
      (error) => isBerthError(error, "unsupported") && !/token/.test(error.message),
    );
  });
});
