import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Command, InvalidArgumentError } from "commander";
import fc from "fast-check";
import type { ServiceSpec } from "../../spec/service-spec.ts";
import { addContainerOptions, type ContainerOptions, toServiceSpec } from "./container-options.ts";
import { collectEnvironment, collectLabels, parseEnvFile } from "./environment.ts";
import { parseFilters } from "./filters.ts";
import { parseAddHost, parseDevice, parseRestart, parseSysctls, parseUlimits } from "./limits.ts";
import { parseExpose, parsePublish } from "./ports.ts";
import { parseCpus, parseInstant, parseSize, parseSizeOrUnlimited, tryParseDurationMs } from "./values.ts";
import { parseMount, parseTmpfs, parseVolume } from "./volumes.ts";

const refused = (run: () => unknown, why: RegExp): void => assert.throws(run, (error) => error instanceof InvalidArgumentError && why.test(error.message));

describe("--publish", () => {
  const one = (text: string) => parsePublish(text)[0];

  test("takes Docker's forms", () => {
    assert.deepEqual(one("80"), { containerPort: 80, protocol: "tcp", hostPort: undefined, hostIp: undefined });
    assert.deepEqual(one("8080:80/udp"), { containerPort: 80, protocol: "udp", hostPort: 8080, hostIp: undefined });
    assert.deepEqual(one("127.0.0.1:8080:80"), { containerPort: 80, protocol: "tcp", hostPort: 8080, hostIp: "127.0.0.1" });
    assert.deepEqual(one("127.0.0.1::80"), { containerPort: 80, protocol: "tcp", hostPort: undefined, hostIp: "127.0.0.1" });
    assert.deepEqual(one("[::1]:8080:80"), { containerPort: 80, protocol: "tcp", hostPort: 8080, hostIp: "::1" });
    assert.deepEqual(one("[::1]::80"), { containerPort: 80, protocol: "tcp", hostPort: undefined, hostIp: "::1" });
    assert.deepEqual(one("0:80"), { containerPort: 80, protocol: "tcp", hostPort: 0, hostIp: undefined });
  });

  test("spreads ranges out", () => {
    assert.deepEqual(
      parsePublish("8000-8002:80-82").map(({ hostPort, containerPort }) => [hostPort, containerPort]),
      [
        [8000, 80],
        [8001, 81],
        [8002, 82],
      ],
    );
    assert.equal(parsePublish("80-82").length, 3);
    assert.deepEqual(parsePublish("127.0.0.1:8000-8010:80/udp"), [
      { containerPort: 80, protocol: "udp", hostPort: 8000, hostPortEnd: 8010, hostIp: "127.0.0.1" },
    ]);
    assert.deepEqual(parseExpose("7000-7001/udp"), ["7000/udp", "7001/udp"]);
  });

  test("refuses what is none", () => {
    refused(() => parsePublish("http:80"), /not a port/);
    refused(() => parsePublish("8080:80/icmp"), /neither tcp nor udp/);
    refused(() => parsePublish("8080:70000"), /not a port/);
    refused(() => parsePublish("8080-8081:80-82"), /differ in length/);
    refused(() => parsePublish("82-80"), /backwards/);
    refused(() => parsePublish(""), /expected/);
    refused(() => parsePublish("1:2:3:4"), /not a port|expected/);
  });

  test("never fails with anything but a usage error", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789:-/[]tcpudp.") }), (text) => {
        try {
          parsePublish(text);
        } catch (error) {
          assert.ok(error instanceof InvalidArgumentError);
        }
      }),
    );
  });
});

describe("--volume, --mount and --tmpfs", () => {
  test("tell binds, named and anonymous volumes apart", () => {
    assert.deepEqual(parseVolume("/host:/x"), { type: "bind", source: "/host", target: "/x", readonly: false });
    assert.deepEqual(parseVolume("/host:/x:ro"), { type: "bind", source: "/host", target: "/x", readonly: true });
    assert.deepEqual(parseVolume("./here:/x:z"), { type: "bind", source: join(process.cwd(), "here"), target: "/x", readonly: false });
    assert.deepEqual(parseVolume("data:/x:ro"), { type: "named", name: "data", target: "/x", readonly: true });
    assert.deepEqual(parseVolume("data:/x:nocopy"), { type: "named", name: "data", target: "/x", readonly: false, nocopy: true });
    assert.deepEqual(parseMount("type=volume,src=data,dst=/x,volume-nocopy"), { type: "named", name: "data", target: "/x", readonly: false, nocopy: true });
    assert.deepEqual(parseVolume("/anon"), { type: "anonymous", target: "/anon" });
    assert.deepEqual(parseMount("type=bind,src=/a,dst=/b,readonly"), { type: "bind", source: "/a", target: "/b", readonly: true });
    assert.deepEqual(parseMount("source=data,target=/b"), { type: "named", name: "data", target: "/b", readonly: false });
    assert.deepEqual(parseMount("target=/b"), { type: "anonymous", target: "/b" });
    assert.deepEqual(parseMount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777"), { type: "tmpfs", target: "/t", size: 1048576, mode: 0o1777 });
    assert.deepEqual(parseTmpfs("/run:rw,size=64m,mode=755,noexec"), { type: "tmpfs", target: "/run", size: 67108864, mode: 0o755 });
    assert.deepEqual(parseTmpfs("/run"), { type: "tmpfs", target: "/run", size: undefined, mode: undefined });
  });

  test("refuse what would not do what it says", () => {
    refused(() => parseVolume("data:relative"), /not an absolute path/);
    refused(() => parseVolume("/a:/b:nocopy"), /named volumes/);
    refused(() => parseVolume("a:/b:ro:x"), /expected/);
    refused(() => parseMount("type=nfs,target=/b"), /none of bind/);
    refused(() => parseMount("type=bind,target=/b"), /needs a source/);
    refused(() => parseMount("type=bind,src=/a,target=/b,colour=red"), /unknown field "colour"/);
    refused(() => parseTmpfs("/run:mode=9"), /not octal/);
  });
});

describe("--env, --env-file and labels", () => {
  test("a name alone takes the caller's value, or nothing", () => {
    assert.deepEqual(collectEnvironment(["A=1", "B", "C", "D=", "E=x=y"], [], { B: "own" }), { A: "1", B: "own", D: "", E: "x=y" });
    refused(() => collectEnvironment(["=x"], [], {}), /name is empty/);
  });

  test("a file is taken literally, and flags win over it", () => {
    const directory = mkdtempSync(join(tmpdir(), "berth-env-"));
    try {
      const file = join(directory, "env");
      writeFileSync(file, '\uFEFF# comment\n\nA=1\r\nQ="quoted"\n  B=b # not a comment\nHOST\n');
      assert.deepEqual(collectEnvironment(["A=2"], [file], { HOST: "h" }), { A: "2", Q: '"quoted"', B: "b # not a comment", HOST: "h" });
      assert.deepEqual(collectLabels(["x=1", "y"], [file]), { A: "1", Q: '"quoted"', B: "b # not a comment", HOST: "", x: "1", y: "" });
      refused(() => collectEnvironment([], [join(directory, "missing")], {}), /cannot read/);
    } finally {
      rmSync(directory, { recursive: true });
    }
    refused(() => parseEnvFile("OK=1\nBAD NAME=2", "f"), /f, line 2/);
    refused(() => parseEnvFile("=2", "f"), /empty/);
  });
});

describe("numbers, sizes and times", () => {
  test("sizes are powers of 1024", () => {
    assert.equal(parseSize("512m"), 512 * 1024 ** 2);
    assert.equal(parseSize("1.5GiB"), 1.5 * 1024 ** 3);
    assert.equal(parseSize("100kb"), 102400);
    assert.equal(parseSize("12"), 12);
    assert.equal(parseSizeOrUnlimited("-1"), -1);
    for (const bad of ["", "m", "1x", "-5", "1 2"]) refused(() => parseSize(bad), /not a size/);
  });

  test("CPUs are positive", () => {
    assert.equal(parseCpus(".5"), 0.5);
    for (const bad of ["0", "-1", "two", ""]) refused(() => parseCpus(bad), /number of CPUs/);
  });

  test("instants are absolute, Unix, or how long ago", () => {
    assert.equal(parseInstant("2026-01-02T03:04:05Z"), Date.UTC(2026, 0, 2, 3, 4, 5) / 1000);
    assert.equal(parseInstant("2026-01-02T03:04:05.123456789+01:00"), (Date.UTC(2026, 0, 2, 2, 4, 5) + 123) / 1000);
    assert.equal(parseInstant("1767322800.5"), 1767322800.5);
    assert.equal(parseInstant("10m", 1_000_000_000), 1_000_000 - 600);
    assert.equal(tryParseDurationMs("1h30m"), 5_400_000);
    refused(() => parseInstant("yesterday"), /not a time/);
  });
});

describe("limits and devices", () => {
  test("take Docker's forms", () => {
    assert.deepEqual(parseUlimits(["nofile=1024:2048", "core=-1", "nproc=unlimited:unlimited"]), {
      nofile: { soft: 1024, hard: 2048 },
      core: { soft: -1, hard: -1 },
      nproc: { soft: -1, hard: -1 },
    });
    assert.deepEqual(parseDevice("/dev/a:/dev/b:rw"), { path: "/dev/a", containerPath: "/dev/b", read: true, write: true, mknod: false });
    assert.deepEqual(parseDevice("/dev/a"), { path: "/dev/a", containerPath: undefined, read: true, write: true, mknod: true });
    assert.deepEqual(parseDevice("/dev/a:r"), { path: "/dev/a", containerPath: undefined, read: true, write: false, mknod: false });
    assert.deepEqual(parseRestart("on-failure:3"), { kind: "on_failure", maxAttempts: 3 });
    assert.deepEqual(parseRestart("unless-stopped"), { kind: "unless_stopped" });
    assert.equal(parseAddHost("db:10.0.0.1"), "db:10.0.0.1");
    assert.equal(parseAddHost("db=[::1]"), "db:::1");
    assert.deepEqual(parseSysctls(["net.core.somaxconn=10"]), { "net.core.somaxconn": "10" });
  });

  test("refuse the rest", () => {
    refused(() => parseUlimits(["nofile"]), /expected name=/);
    refused(() => parseDevice("dev/a"), /invalid device/);
    refused(() => parseRestart("always:3"), /none of/);
    refused(() => parseAddHost("db"), /expected name:ip/);
    refused(() => parseSysctls(["a"]), /expected key=value/);
  });
});

test("filters: alternatives within a key, all keys must hold, labels all", () => {
  const keep = parseFilters<{ a: string; b: string }>(["a=1", "a=2", "b=x"], { a: (v) => (c) => c.a === v, b: (v) => (c) => c.b === v });
  assert.deepEqual(
    [
      { a: "1", b: "x" },
      { a: "2", b: "x" },
      { a: "3", b: "x" },
      { a: "1", b: "y" },
    ].map(keep),
    [true, true, false, false],
  );
  refused(() => parseFilters(["nope=1"], {}), /invalid filter/);
});

describe("the flags of run", () => {
  function spec(line: readonly string[]): ServiceSpec {
    const command = addContainerOptions(new Command("run")).argument("<image>").argument("[args...]").exitOverride();
    command.parse([...line], { from: "user" });
    const [image = "", ...args] = command.args;
    return toServiceSpec(command.opts<ContainerOptions>(), image, args, { HOME: "/me" });
  }

  test("stop at the image: what follows is the container's", () => {
    const made = spec(["-it", "--rm", "-e", "A=1", "alpine", "sh", "-c", "echo --rm", "-e", "--", "x"]);
    assert.equal(made.image, "alpine");
    assert.deepEqual(made.command?.args, ["sh", "-c", "echo --rm", "-e", "--", "x"]);
    assert.deepEqual([made.tty, made.stdinOpen, made.lifecycle?.deleteOnExit], [true, true, true]);
    assert.deepEqual(made.env, { A: "1" });
  });

  test("become the fields of the spec", () => {
    const made = spec([
      "-e",
      "HOME",
      "-v",
      "data:/data",
      "--tmpfs",
      "/t",
      "-p",
      "8080:80",
      "-w",
      "/w",
      "-u",
      "1:2",
      "-m",
      "64m",
      "--memory-swap",
      "-1",
      "--cpus",
      "0.5",
      "--pids-limit",
      "10",
      "--network",
      "mine",
      "-h",
      "box",
      "--read-only",
      "--cap-add",
      "NET_ADMIN",
      "--cap-drop",
      "ALL",
      "--init",
      "-l",
      "a=b",
      "--platform",
      "linux/arm64",
      "--stop-signal",
      "INT",
      "--stop-timeout",
      "3",
      "--ulimit",
      "nofile=5",
      "--security-opt",
      "seccomp=p.json",
      "--add-host",
      "h:1.2.3.4",
      "--dns",
      "1.1.1.1",
      "--restart",
      "always",
      "--entrypoint",
      "",
      "image",
    ]);
    assert.deepEqual(made.env, { HOME: "/me" });
    assert.deepEqual(
      made.storage?.map(({ type }) => type),
      ["named", "tmpfs"],
    );
    assert.equal(made.portMappings?.length, 1);
    assert.deepEqual(made.command, { entrypoint: [], args: undefined, workdir: "/w" });
    assert.equal(made.resources?.memory, 67108864);
    assert.equal(made.resources?.memorySwap, -1);
    assert.equal(made.resources?.cpu, 0.5);
    assert.deepEqual(made.networkMode, { mode: "bridge", name: "mine" });
    assert.equal(made.stopGracePeriod, 3000);
    assert.deepEqual(made.securityOpt, [`seccomp=${join(process.cwd(), "p.json")}`]);
    assert.deepEqual(made.platform, { os: "linux", arch: "arm64", variant: undefined });
    assert.deepEqual(made.restartPolicy, { kind: "always" });
    assert.equal(spec(["--net", "host", "image"]).networkMode, "host");
    assert.equal(spec(["--network", "container:web", "image"]).networkMode, "container:web");
  });

  test("that contradict each other are refused", () => {
    refused(() => spec(["--rm", "--restart", "always", "image"]), /conflicting options/);
  });
});
