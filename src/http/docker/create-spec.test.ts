import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import { readCreateBody } from "./create-shape.ts";
import { createPlan } from "./create-spec.ts";

const image: ImageInspectInfo = {
  repoTags: [],
  repoDigests: [],
  layers: [],
  env: [],
  cmd: ["sh"],
  entrypoint: ["/entry"],
  labels: {},
  exposedPorts: ["80/tcp", "53/udp"],
};
const plan = (body: ContainerCreateBody) => createPlan({ body: { Image: "x", ...body }, image, platform: undefined });
const spec = (body: ContainerCreateBody) => plan(body).spec;

describe("a create body", () => {
  test("keeps entrypoint and command apart, by Docker's rules", () => {
    assert.deepEqual(spec({}).command, { args: undefined, workdir: undefined });
    assert.deepEqual(spec({ Cmd: ["a"], WorkingDir: "/w" }).command, { args: ["a"], workdir: "/w" });
    assert.deepEqual(spec({ Entrypoint: [""], Cmd: ["a"] }).command, { entrypoint: [], args: ["a"], workdir: undefined });
    assert.deepEqual(spec({ Entrypoint: [] }).command, { entrypoint: [], args: ["sh"], workdir: undefined });
    assert.deepEqual(readCreateBody({ Cmd: "one word" }).Cmd, ["one word"]);
  });

  test("publishes what is bound, and with PublishAllPorts what the image exposes", () => {
    assert.deepEqual(spec({ HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }, { HostPort: "" }] } } }).portMappings, [
      { containerPort: 80, protocol: "tcp", hostIp: "127.0.0.1", hostPort: 8080 },
      { containerPort: 80, protocol: "tcp", hostIp: undefined },
    ]);
    const [range] = spec({ HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "8000-8010" }] } } }).portMappings ?? [];
    assert.deepEqual([range?.hostPort, range?.hostPortEnd], [8000, 8010]);
    assert.throws(() => spec({ HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "8010-8000" }] } } }), /invalid port specification/);
    const all = spec({ HostConfig: { PublishAllPorts: true, PortBindings: { "80/tcp": [{ HostPort: "81" }] } } }).portMappings;
    assert.deepEqual(
      all?.map(({ containerPort, protocol, hostPort }) => `${containerPort}/${protocol}/${hostPort ?? "any"}`),
      ["80/tcp/81", "53/udp/any"],
    );
    assert.throws(() => spec({ HostConfig: { PortBindings: { "99999/tcp": [] } } }), /invalid port specification/);
  });

  test("mounts binds, volumes, tmpfs and shared memory", () => {
    const { storage } = spec({
      Volumes: { "/v": {}, "/data": {} },
      HostConfig: {
        Binds: ["/h:/data:ro", "name:/n", "/only"],
        Mounts: [{ Type: "volume", Target: "/m" }],
        Tmpfs: { "/t": "size=1m,mode=0700,noexec" },
        ShmSize: 1024,
      },
    });
    assert.deepEqual(storage, [
      { type: "anonymous", target: "/v" },
      { type: "tmpfs", target: "/dev/shm", size: 1024, mode: 0o1777 },
      { type: "bind", source: "/h", target: "/data", readonly: true },
      { type: "named", name: "name", target: "/n", readonly: false },
      { type: "anonymous", target: "/only" },
      { type: "anonymous", target: "/m" },
      { type: "tmpfs", target: "/t", size: 1_000_000, mode: 0o700 },
    ]);
    for (const bind of ["a:b", "/a:/b:zz", "a:/b:c:d", ":/x"]) assert.throws(() => spec({ HostConfig: { Binds: [bind] } }), /invalid/, bind);
  });

  test("names what has no effect and refuses what must have one", () => {
    assert.deepEqual(plan({ Domainname: "d", HostConfig: { Links: ["db:db"] } }).warnings, [
      "HostConfig.Links has no effect with this engine: connect both containers to a network of their own, in which they find each other by name",
      "Domainname has no effect with this engine",
    ]);
    assert.throws(() => spec({ Hostname: "own", HostConfig: { UTSMode: "host" } }), /conflicting options: hostname and the UTS mode/);
    assert.throws(() => spec({ HostConfig: { BlkioDeviceReadBps: [{ Path: "/dev/sda", Rate: 1 }] } }), /BlkioDeviceReadBps is not supported/);
    assert.throws(() => spec({ HostConfig: { Memory: 1024 } }), /Minimum memory limit allowed is 6MB/);
    assert.throws(
      () => spec({ HostConfig: { AutoRemove: true, RestartPolicy: { Name: "always" } } }),
      /can't create 'AutoRemove' container with restart policy/,
    );
    assert.throws(() => spec({ HostConfig: { RestartPolicy: { Name: "always", MaximumRetryCount: 2 } } }), /maximum retry count/);
  });

  test("of the wrong type is refused by the field's name", () => {
    const bad: readonly (readonly [object, RegExp])[] = [
      [{ Image: 1 }, /Image must be a string, not number 1/],
      [{ Env: { A: "b" } }, /Env must be a list/],
      [{ HostConfig: [] }, /HostConfig must be an object, not a list/],
      [{ HostConfig: { Memory: "1g" } }, /HostConfig.Memory must be a whole number/],
      [{ Labels: { a: 1 } }, /Labels.a must be a string/],
      [{ HostConfig: { PortBindings: { "80/tcp": [{ HostPort: 80 }] } } }, /HostConfig.PortBindings.80\/tcp\[0\].HostPort must be a string/],
    ];
    for (const [body, message] of bad) assert.throws(() => readCreateBody({ ...body }), message);
    assert.ok(readCreateBody({ Image: "x", Tty: null, NobodyKnows: { a: 1 } }));
  });

  test("turns a health check's times from nanoseconds", () => {
    assert.deepEqual(spec({ Healthcheck: { Test: ["CMD", "test", "-e", "/a b"], Interval: 1e9, Retries: 2 } }).health, {
      check: { type: "command", command: ["test", "-e", "/a b"] },
      interval: 1000,
      timeout: 30_000,
      startGrace: 0,
      retries: 2,
    });
    assert.equal(spec(readCreateBody({ Healthcheck: { Test: ["CMD", "x"], Timeout: null } })).health?.timeout, 30_000);
    assert.deepEqual(spec({ Healthcheck: { Interval: 1e9 } }).health?.check, { type: "image" });
    assert.deepEqual(spec({ Healthcheck: { Test: ["NONE"] } }).health, { check: { type: "none" } });
    assert.equal(spec({ Healthcheck: {} }).health, undefined);
    assert.throws(() => spec({ Healthcheck: { Test: ["CMD-SHELL", "x"], Interval: 1 } }), /cannot be less than 1ms/);
  });
});
