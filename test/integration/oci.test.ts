/** Specs Berth writes, run by the real crun and runc and looked at from inside. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { childEnvironment, run, runToEnd } from "../../src/internal/spawn.ts";
import { writeBundle, writeProcessFile } from "../../src/oci/bundle.ts";
import { conmonArgs, parseSyncPipe, type SyncPipeAnswer } from "../../src/oci/conmon.ts";
import { allHostDevices, findDevices } from "../../src/oci/devices.ts";
import { hostFacts } from "../../src/oci/host-facts.ts";
import { findInit } from "../../src/oci/init.ts";
import { findOciRuntime, findProgram, probeRuntime } from "../../src/oci/probe.ts";
import { buildExecProcess } from "../../src/oci/process-spec.ts";
import { createArgs, deleteCommand, execArgs, type OciRuntime, startCommand, startFailureCode, stateCommand } from "../../src/oci/runtime-command.ts";
import { buildRuntimeSpec, grantedCapabilities, type RuntimeSpecInput } from "../../src/oci/runtime-spec.ts";
import { seccompFor } from "../../src/oci/seccomp.ts";
import { applyTmpfsModes } from "../../src/oci/tmpfs-mode.ts";
import { resolveUser } from "../../src/oci/user.ts";
import { completeSpec } from "../../src/spec/complete-spec.ts";
import { parseSecurityOptions } from "../../src/spec/security-opt.ts";
import type { OciProcess, OciRuntimeSpec } from "../../src/spec/runtime-spec.ts";
import type { ServiceSpec } from "../../src/spec/service-spec.ts";

const base = mkdtempSync(join(tmpdir(), "berth-oci-"));
after(() => rmSync(base, { recursive: true, force: true }));
const rootfs = join(base, "rootfs");
makeRootfs(rootfs);
const cgroupParent = `/berth-test-${process.pid}`;
after(() => removeCgroups(cgroupParent));

function makeRootfs(path: string): void {
  for (const directory of ["bin", "etc", "tmp", "dir"]) mkdirSync(join(path, directory), { recursive: true });
  copyFileSync("/usr/bin/busybox", join(path, "bin/busybox"));
  execFileSync("chroot", [path, "/bin/busybox", "--install", "-s", "/bin"]);
  writeFileSync(join(path, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:Web:/home/web:/bin/sh\n");
  writeFileSync(join(path, "etc/group"), "root:x:0:\nwww:x:1001:\ndisk:x:6:web\nextra:x:77:\n");
  writeFileSync(join(path, "bin/noexec"), "no program", { mode: 0o644 });
  writeFileSync(join(path, "bin/garbage"), "no program", { mode: 0o755 });
  writeFileSync(join(path, "plain"), "");
}

function removeCgroups(parent: string): void {
  for (const directory of ["", ...readdirSync("/sys/fs/cgroup")]) {
    const path = join("/sys/fs/cgroup", directory, parent);
    if (existsSync(path)) execFileSync("find", [path, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
  }
}

interface Prepared {
  readonly id: string;
  readonly bundle: string;
  readonly warnings: readonly string[];
}

/** As the native backend does it: complete the spec, look everything up, write the bundle. */
function prepare(fields: Partial<ServiceSpec>, over: Partial<RuntimeSpecInput> = {}): Prepared {
  const id = `t${randomBytes(6).toString("hex")}`;
  const { spec, warnings } = completeSpec({ image: "x", ...fields });
  const host = hostFacts();
  const built = buildRuntimeSpec({
    spec,
    image: { exposedPorts: [], env: [], entrypoint: [], cmd: [], volumes: [], labels: {}, onBuild: [] },
    env: spec.env,
    user: resolveUser(rootfs, spec.user, spec.extraGroups),
    hexId: "0123456789ab".padEnd(64, "0"),
    rootfs,
    mounts: [],
    files: {},
    network: { kind: "private" },
    pid: { kind: "private" },
    ipc: { kind: "private" },
    cgroupsPath: join(cgroupParent, id),
    devices: spec.privileged ? allHostDevices() : findDevices(spec.devices),
    seccomp: seccompFor(parseSecurityOptions(spec.securityOpt).seccomp, {
      ...host,
      privileged: spec.privileged,
      capabilities: grantedCapabilities(spec, host),
    }),
    initPath: spec.initContainer ? findInit() : undefined,
    host,
    ...over,
  });
  const bundle = join(base, id);
  writeBundle(bundle, built.spec);
  return { id, bundle, warnings: [...warnings, ...built.warnings] };
}

function cleanUp(runtime: OciRuntime, { id, bundle }: Prepared): void {
  const { program, args } = deleteCommand(runtime, id, { force: true });
  spawnSync(program, args);
  rmSync(bundle, { recursive: true, force: true });
}

/** Runs a shell script as the main process and answers what it wrote. */
function inside(runtime: OciRuntime, script: string, fields: Partial<ServiceSpec> = {}, over: Partial<RuntimeSpecInput> = {}): string {
  const prepared = prepare({ command: { args: ["sh", "-c", script] }, ...fields }, over);
  const done = spawnSync(runtime.path, ["--root", runtime.root, "run", "--bundle", prepared.bundle, prepared.id], {
    encoding: "utf8",
    env: childEnvironment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  cleanUp(runtime, prepared);
  assert.equal(done.status, 0, `${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}

for (const name of ["crun", "runc"]) {
  const path = findProgram(name);
  assert.ok(path !== undefined, `these tests need ${name}`);
  const runtime: OciRuntime = { name, path, root: join(base, `state-${name}`) };
  describe(name, () => {
    describeIsolation(runtime);
    describePrivileges(runtime);
    describeLimits(runtime);
    describeFiles(runtime);
    describeLifecycle(runtime);
    test("passes the probe, which leaves nothing behind", async () => {
      const before = readdirSync(tmpdir()).filter((entry) => entry.startsWith("berth-probe-")).length;
      assert.equal((await probeRuntime(path)).reason, undefined);
      assert.ok(readdirSync(tmpdir()).filter((entry) => entry.startsWith("berth-probe-")).length <= before);
    });
  });
}

function describeIsolation(runtime: OciRuntime): void {
  test("capabilities: the fourteen, none inherited", () => {
    assert.deepEqual(
      inside(runtime, "grep ^Cap /proc/self/status")
        .split("\n")
        .map((line) => line.split(/\s+/)[1]),
      ["0000000000000000", "00000000a80425fb", "00000000a80425fb", "00000000a80425fb", "0000000000000000"],
    );
  });
  test("capabilities: one only, and none effective for a user", () => {
    assert.match(inside(runtime, "grep CapEff /proc/self/status", { capDrop: ["ALL"], capabilities: ["NET_ADMIN"] }), /0000000000001000$/);
    assert.match(inside(runtime, "grep CapEff /proc/self/status", { user: "web" }), /0000000000000000$/);
  });
  test("seccomp is on and refuses namespaces, by unshare and by clone", () => {
    const said = inside(runtime, "grep ^Seccomp: /proc/self/status; unshare -U true 2>&1; unshare -n true 2>&1; mount -t tmpfs x /tmp 2>&1; true");
    assert.match(said, /^Seccomp:\s+2\n/);
    assert.equal(said.match(/not permitted|permission denied/gi)?.length, 3, said);
  });
  test("seccomp: unconfined, and a profile of the caller's", () => {
    assert.match(inside(runtime, "grep ^Seccomp: /proc/self/status", { securityOpt: ["seccomp=unconfined"] }), /\s0$/);
    const profile = join(base, "profile.json");
    writeFileSync(profile, '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":122}]}');
    assert.match(inside(runtime, "mkdir /tmp/x 2>&1 || true", { securityOpt: [`seccomp=${profile}`] }), /quota/i);
  });
  test("masked and read-only paths", () => {
    const said = inside(runtime, "wc -c </proc/keys; ls /sys/firmware | wc -l; echo 1 2>&1 >/proc/sys/kernel/panic; touch /sys/x 2>&1; true");
    assert.match(said, /^0\n0\n/);
    assert.equal(said.match(/Read-only file system/g)?.length, 2, said);
    assert.notEqual(inside(runtime, "wc -c </proc/timer_list", { securityOpt: ["systempaths=unconfined"] }), "0");
  });
  test("namespaces and names", () => {
    assert.equal(inside(runtime, 'hostname; echo $$; ls /sys/class/net; echo "$HOSTNAME $HOME $PWD"'), "0123456789ab\n1\nlo\n0123456789ab /root /");
    assert.equal(inside(runtime, "hostname", { hostname: "my.host" }), "my.host");
  });
  test("the host's namespaces", () => {
    const choice = { network: { kind: "host" }, pid: { kind: "host" }, ipc: { kind: "host" } } as const;
    const said = inside(
      runtime,
      "for n in net pid ipc; do readlink /proc/self/ns/$n; done; hostname",
      { networkMode: "host", pidMode: "host", ipcMode: "host" },
      choice,
    );
    const links = execFileSync("readlink", ["/proc/self/ns/net", "/proc/self/ns/pid", "/proc/self/ns/ipc"], { encoding: "utf8" });
    assert.equal(said, `${links}${hostFacts().hostname}`);
  });
  test("a joined network namespace", async () => {
    // The pipe ends once the new namespace is there.
    const holder = spawn("unshare", ["--net", "sh", "-c", "exec >&-; exec sleep 1000"], { stdio: ["ignore", "pipe", "ignore"] });
    await once(holder.stdout.resume(), "end");
    try {
      const path = `/proc/${holder.pid}/ns/net`;
      assert.equal(inside(runtime, "readlink /proc/self/ns/net", {}, { network: { kind: "path", path } }), readlinkSync(path));
    } finally {
      holder.kill("SIGKILL");
    }
  });
  test("sysctls", () => {
    const said = inside(runtime, "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni", {
      sysctls: { "net.ipv4.ip_forward": "1", "kernel.shmmni": "123" },
    });
    assert.equal(said, "0\n1\n123");
  });
}

function describePrivileges(runtime: OciRuntime): void {
  test("privileged: every capability the engine has, every device, nothing masked", () => {
    const said = inside(
      runtime,
      "grep CapEff /proc/self/status; grep ^Seccomp: /proc/self/status; echo 1 >/proc/sys/net/ipv4/ip_forward && echo wrote; ls /dev | wc -l; mount -t tmpfs x /tmp && echo mounted",
      { privileged: true },
    );
    const own = /CapBnd:\s+(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    const [caps, seccomp, wrote, devices, mounted] = said.split("\n");
    assert.deepEqual([caps?.endsWith(own ?? "?"), seccomp?.endsWith("0"), wrote, mounted], [true, true, "wrote", "mounted"]);
    assert.ok(Number(devices) > 15);
  });
  test("privileged: host devices can be opened", () => {
    inside(runtime, "test -c /dev/kmsg && exec 3</dev/kmsg", { privileged: true });
  });
  test("one device, at another path, and nothing else", () => {
    const device = { path: "/dev/loop-control", containerPath: "/dev/control", read: true, write: false };
    inside(runtime, "exec 3</dev/control", { devices: [device] });
    assert.match(inside(runtime, "(exec 3>/dev/control) 2>&1 || true", { devices: [device] }), /not permitted/);
    assert.match(inside(runtime, "mknod /tmp/d c 10 237 && (exec 3</tmp/d) 2>&1 || true; rm -f /tmp/d"), /not permitted/);
  });
  test("user by name, groups, home", () => {
    assert.equal(inside(runtime, "id -u; id -g; id -G; echo $HOME", { user: "web", extraGroups: ["extra", "99"] }), "1000\n1001\n1001 6 77 99\n/home/web");
    assert.equal(inside(runtime, "id -u; id -g; id -G", { user: "5:www" }), "5\n1001\n1001");
  });
  test("no-new-privileges", () => {
    assert.match(inside(runtime, "grep NoNewPrivs /proc/self/status"), /0$/);
    assert.match(inside(runtime, "grep NoNewPrivs /proc/self/status", { securityOpt: ["no-new-privileges"] }), /1$/);
  });
  test("an init in front, that reaps", () => {
    const zombies = "cat /proc/[0-9]*/stat | grep -c ') Z ' || true";
    const script = `cat /proc/1/comm; echo $$; sh -c 'sleep 0 &'; for i in $(seq 100); do left=$(${zombies}); [ "$left" = 0 ] && break; sleep 0.1; done; echo $left`;
    const [comm, pid, left] = inside(runtime, script, { initContainer: true }).split("\n");
    assert.deepEqual([comm, left], ["berth-init", "0"]);
    assert.notEqual(pid, "1");
  });
}

function describeLimits(runtime: OciRuntime): void {
  const v1 = hostFacts().cgroup === 1;
  const file = (controller: string, one: string, two: string): string => (v1 ? `/sys/fs/cgroup/${controller}/${one}` : `/sys/fs/cgroup/${two}`);
  test("cgroup limits", () => {
    const files = [
      file("memory", "memory.limit_in_bytes", "memory.max"),
      file("pids", "pids.max", "pids.max"),
      file("cpu", "cpu.cfs_quota_us", "cpu.max"),
      file("cpu", "cpu.shares", "cpu.weight"),
      file("cpuset", "cpuset.cpus", "cpuset.cpus"),
    ];
    const said = inside(runtime, `cat ${files.join(" ")}`, { resources: { memory: "64Mi", pidsLimit: 33, cpu: 0.5, cpuShares: 512, cpuset: "0" } });
    assert.deepEqual(said.split("\n"), ["67108864", "33", v1 ? "50000" : "50000 100000", v1 ? "512" : "20", "0"]);
  });
  test("swap: as much again by default, or what was asked for", () => {
    const path = file("memory", "memory.memsw.limit_in_bytes", "memory.swap.max");
    assert.equal(inside(runtime, `cat ${path}`, { resources: { memory: "64Mi" } }), String((v1 ? 128 : 64) * 2 ** 20));
    assert.equal(inside(runtime, `cat ${path}`, { resources: { memory: "64Mi", memorySwap: "64Mi" } }), String((v1 ? 64 : 0) * 2 ** 20));
    assert.match(inside(runtime, `cat ${path}`, { resources: { memory: "64Mi", memorySwap: -1 } }), v1 ? /^9223372036854771712$/ : /^max$/);
  });
  test("ulimits, also infinite ones", () => {
    const script = "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc";
    assert.equal(inside(runtime, script, { ulimits: { nofile: { soft: 100, hard: 200 }, core: { soft: 0, hard: -1 } } }), "100\n200\n0\nunlimited");
  });
  test("what the engine may not do is lowered with a warning, and runs", () => {
    const fields: Partial<ServiceSpec> = {
      command: { args: ["true"] },
      ulimits: { nofile: { hard: 2 ** 40 } },
      resources: { oomScoreAdj: -1000 },
      capabilities: ["SYS_RESOURCE"],
    };
    const { warnings, ...prepared } = prepare(fields);
    const done = spawnSync(runtime.path, ["--root", runtime.root, "run", "--bundle", prepared.bundle, prepared.id], { encoding: "utf8" });
    cleanUp(runtime, { ...prepared, warnings });
    assert.equal(done.status, 0, done.stderr);
    assert.match(warnings.join(), /nofile is lowered/);
  });
  test("OOM score", () => assert.equal(inside(runtime, "cat /proc/self/oom_score_adj", { resources: { oomScoreAdj: 321 } }), "321"));
}

function describeFiles(runtime: OciRuntime): void {
  test("read-only root with writable tmpfs and shared memory", () => {
    const said = inside(
      runtime,
      "touch /x 2>&1; touch /t/y /dev/shm/z && echo wrote; df -k /t | tail -1 | awk '{print $2}'",
      { readOnlyRootFs: true },
      {
        mounts: [{ kind: "tmpfs", target: "/t", sizeBytes: 2 ** 20 }],
      },
    );
    assert.match(said, /Read-only file system\nwrote\n1024$/);
  });
  test("tmpfs modes, also over a directory that was there", async () => {
    const mounts: RuntimeSpecInput["mounts"] = [
      { kind: "tmpfs", target: "/dir", mode: 0o1770 },
      { kind: "tmpfs", target: "/tmp" },
    ];
    const prepared = prepare({ command: { args: ["sleep", "1000"] } }, { mounts });
    try {
      spawnSync(runtime.path, [...createArgs(runtime, prepared.id, { bundle: prepared.bundle, pidFile: join(prepared.bundle, "pid") })], { stdio: "ignore" });
      const { pid = 0 } = await run(stateCommand(runtime, prepared.id));
      applyTmpfsModes(pid, (JSON.parse(readFileSync(join(prepared.bundle, "config.json"), "utf8")) as OciRuntimeSpec).mounts);
      assert.deepEqual(
        ["dir", "tmp"].map((name) => statSync(`/proc/${pid}/root/${name}`).mode & 0o7777),
        [0o1770, 0o1777],
      );
    } finally {
      cleanUp(runtime, prepared);
    }
  });
  test("bind mounts, read-only ones with what is mounted below", () => {
    const source = join(base, `source-${runtime.name}`);
    mkdirSync(join(source, "below"), { recursive: true });
    chmodSync(source, 0o777);
    execFileSync("mount", ["-t", "tmpfs", "x", join(source, "below")]);
    try {
      const said = inside(
        runtime,
        "touch /rw/a && echo wrote; touch /ro/b 2>&1; touch /ro/below/c 2>&1; true",
        {},
        {
          mounts: [
            { kind: "bind", source, target: "/rw", readonly: false },
            { kind: "bind", source, target: "/ro", readonly: true },
          ],
        },
      );
      assert.match(said, /^wrote\n/);
      assert.equal(said.match(/Read-only file system/g)?.length, 2, said);
    } finally {
      execFileSync("umount", [join(source, "below")]);
    }
  });
  test("the engine's files in /etc", () => {
    const hosts = join(base, "hosts");
    writeFileSync(hosts, "127.0.0.1 localhost\n");
    assert.equal(inside(runtime, "cat /etc/hosts", {}, { files: { hosts } }), "127.0.0.1 localhost");
  });
  test("the working directory is made", () =>
    assert.equal(inside(runtime, "pwd", { command: { args: ["sh", "-c", "pwd"], workdir: "/made/here" } }), "/made/here"));
  test("environment of the spec over the image's", () => {
    const image = {
      exposedPorts: [],
      env: ["PATH=/bin", "A=image", "B=image"],
      entrypoint: ["sh", "-c"],
      cmd: ['echo "$A $B $C"'],
      volumes: [],
      labels: {},
      onBuild: [],
    };
    assert.equal(inside(runtime, "", { command: {}, env: { B: "spec", C: "multi\nline" } }, { image }), "image spec multi\nline");
  });
}

function describeLifecycle(runtime: OciRuntime): void {
  /** Text of a create or start that must fail. */
  function failure(args: readonly string[], fields: Partial<ServiceSpec> = {}): string {
    const prepared = prepare({ ...fields, command: { args, ...fields.command } });
    const done = spawnSync(runtime.path, ["--root", runtime.root, "run", "--bundle", prepared.bundle, prepared.id], {
      encoding: "utf8",
      env: childEnvironment,
    });
    cleanUp(runtime, prepared);
    assert.notEqual(done.status, 0, `${args.join(" ")} ran`);
    return done.stderr;
  }
  const failures: readonly (readonly [number, readonly string[]])[] = [
    [127, ["nosuch"]],
    [127, ["/bin/nosuch"]],
    [127, ["/plain/x"]],
    [126, ["/bin/noexec"]],
    [126, ["/dir"]],
    [126, ["/bin/garbage"]],
  ];
  for (const [code, args] of failures) test(`${args[0]} fails with ${code}`, () => assert.equal(startFailureCode(failure(args)), code));

  test("created, started, joined by execs, deleted", async () => {
    const prepared = prepare({ command: { args: ["sleep", "1000"] }, env: { FROM: "container" }, ulimits: { core: { hard: -1 } } });
    try {
      const create = spawnSync(runtime.path, [...createArgs(runtime, prepared.id, { bundle: prepared.bundle, pidFile: join(prepared.bundle, "pid") })], {
        stdio: "ignore",
      });
      assert.equal(create.status, 0);
      assert.equal((await run(stateCommand(runtime, prepared.id))).status, "created");
      await run(startCommand(runtime, prepared.id));
      const state = await run(stateCommand(runtime, prepared.id));
      assert.deepEqual([state.status, state.pid], ["running", Number(readFileSync(join(prepared.bundle, "pid"), "utf8"))]);
      await checkExecs(runtime, prepared, state.pid ?? 0);
    } finally {
      await run(deleteCommand(runtime, prepared.id, { force: true }));
      rmSync(prepared.bundle, { recursive: true });
    }
    assert.notEqual((await runToEnd(runtime.path, stateCommand(runtime, prepared.id).args)).exitCode, 0);
  });

  test("conmon creates it, answers its pid, keeps its log and its exit code", { timeout: 30_000 }, async () => {
    const prepared = prepare({ command: { args: ["sh", "-c", "echo out; echo err >&2; exit 7"] } });
    const done = join(prepared.bundle, "done");
    try {
      const answer = await startConmon(runtime, prepared, ["/bin/touch", done]);
      assert.ok("pid" in answer, JSON.stringify(answer));
      await run(startCommand(runtime, prepared.id));
      await appears(done);
      assert.equal(readFileSync(join(prepared.bundle, prepared.id), "utf8"), "7");
      assert.match(readFileSync(join(prepared.bundle, "log"), "utf8"), /^\S+ stdout F out\n\S+ stderr F err\n$|^\S+ stderr F err\n\S+ stdout F out\n$/);
    } finally {
      cleanUp(runtime, prepared);
    }
  });

  test("conmon answers what went wrong", { timeout: 30_000 }, async () => {
    const prepared = prepare({ command: { args: ["nosuch"] } });
    try {
      const answer = await startConmon(runtime, prepared);
      assert.ok("message" in answer);
      assert.equal(startFailureCode(answer.message), 127);
      assert.doesNotMatch(answer.message, /level=|\\"/);
    } finally {
      cleanUp(runtime, prepared);
    }
  });
}

async function checkExecs(runtime: OciRuntime, prepared: Prepared, pid: number): Promise<void> {
  const container = (JSON.parse(readFileSync(join(prepared.bundle, "config.json"), "utf8")) as { process: OciProcess }).process;
  const processFile = join(prepared.bundle, "process.json");
  const exec = async (command: readonly string[], more: { user?: string; workingDir?: string; env?: readonly string[]; privileged?: boolean } = {}) => {
    writeProcessFile(processFile, buildExecProcess({ container, rootfs: `/proc/${pid}/root`, command, hostCapabilities: hostFacts().capabilities, ...more }));
    const logFile = join(prepared.bundle, "log");
    rmSync(logFile, { force: true });
    const done = await runToEnd(runtime.path, execArgs(runtime, prepared.id, { processFile, logFile }));
    return { ...done, log: existsSync(logFile) ? readFileSync(logFile, "utf8") : "" };
  };
  const plain = await exec(["sh", "-c", 'echo "$FROM $EXTRA $HOME"; ulimit -Hc; grep -E "^(CapEff|Seccomp):" /proc/self/status; exit 5'], {
    env: ["EXTRA=exec"],
  });
  assert.match(plain.stdout, /^container exec \/root\nunlimited\nCapEff:\s+00000000a80425fb\nSeccomp:\s+2\n$/, plain.stderr);
  assert.equal(plain.exitCode, 5);
  assert.equal((await exec(["sh", "-c", 'id -u; id -G; pwd; echo "$HOME"'], { user: "web", workingDir: "/tmp" })).stdout, "1000\n1001 6\n/tmp\n/home/web\n");
  const own = /CapBnd:\s+(\S+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  assert.match((await exec(["grep", "CapEff", "/proc/self/status"], { privileged: true })).stdout, new RegExp(`${own}\n$`));
  for (const [code, command, workingDir] of [
    [127, "nosuch", "/"],
    [127, "/bin/nosuch", "/"],
    [126, "/bin/noexec", "/"],
    [127, "true", "/missing"],
    [126, "true", "/plain"],
  ] as const) {
    const failed = await exec([command], { workingDir });
    assert.equal(startFailureCode(failed.log || failed.stderr), code, `${command} in ${workingDir}: ${failed.log}${failed.stderr}`);
  }
}

function startConmon(runtime: OciRuntime, { id, bundle }: Prepared, exitCommand?: readonly string[]): Promise<SyncPipeAnswer> {
  const args = conmonArgs({
    id,
    bundle,
    runtime,
    pidFile: join(bundle, "pid"),
    monitorPidFile: join(bundle, "monitor-pid"),
    exitDirectory: bundle,
    logPath: join(bundle, "log"),
    tty: false,
    stdin: false,
    leaveStdinOpen: false,
    exitCommand,
  });
  return new Promise((resolve, reject) => {
    const child = spawn("conmon", args, {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      env: { ...childEnvironment, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
    });
    const [, , , sync, start] = child.stdio;
    assert.ok(sync && start && "write" in start);
    start.on("error", () => {});
    start.end(Buffer.of(0));
    child.once("error", reject);
    let text = "";
    sync.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes("\n")) return;
      sync.destroy();
      resolve(parseSyncPipe(text));
    });
    sync.once("end", () => reject(new Error(`conmon said nothing: ${text}`)));
  });
}

async function appears(path: string): Promise<void> {
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 10));
}

test("the choice is kept, so that a later process runs no container for it", async () => {
  const options = { cacheFile: join(base, "oci-runtime.json"), root: join(base, "state") };
  const first = await findOciRuntime(options);
  const stored = JSON.parse(readFileSync(options.cacheFile, "utf8"));
  assert.equal(first.runtime.root, options.root);
  assert.ok(existsSync(first.runtime.path));
  // An answer only the cache can give proves that it is asked.
  for (const answer of Object.values<{ version: string }>(stored.answers)) answer.version = "from the cache";
  writeFileSync(options.cacheFile, JSON.stringify(stored));
  assert.equal((await findOciRuntime(options)).runtime.version, "from the cache");
  writeFileSync(options.cacheFile, JSON.stringify({ ...stored, host: "another boot" }));
  assert.notEqual((await findOciRuntime(options)).runtime.version, "from the cache");
});
