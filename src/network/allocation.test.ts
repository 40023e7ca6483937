import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { type Database, openDatabase, transaction } from "../state/database.ts";
import { networkSchema } from "./records.ts";
import { type NetworkStack, openNetworkStack } from "./stack.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-allocation-"));
let db: Database;
let stack: NetworkStack;
before(async () => {
  db = await openDatabase(join(directory, "state.db"), [networkSchema]);
  stack = openNetworkStack({ db, uuid: "allocation-test", defaultRoot: false });
});
after(() => {
  db.close();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  db.exec("delete from port_bindings; delete from leases; delete from networks");
});

const small = (): void => void stack.createNetwork({ name: "small", subnet: "198.51.100.8/29" });
const lease = (key: string, requestedIp?: string): string => stack.allocate(key, { network: "small", ports: [], requestedIp }).ipv4;

describe("addresses", () => {
  test("are given in turn, around the gateway, until none is left", async () => {
    small();
    assert.deepEqual(
      ["a", "b", "c", "d", "e"].map((key) => lease(key)),
      [10, 11, 12, 13, 14].map((last) => `198.51.100.${last}`),
    );
    assert.throws(
      () => lease("f"),
      (error) => isBerthError(error, "network") && /no free address/.test(error.message),
    );
    await stack.release("c");
    assert.equal(lease("f"), "198.51.100.12");
  });

  test("just given back rest while others are free", async () => {
    small();
    assert.equal(lease("a"), "198.51.100.10");
    await stack.release("a");
    assert.equal(lease("a"), "198.51.100.11");
  });

  test("asked for are given, or refused with their owner", () => {
    small();
    assert.equal(lease("a", "198.51.100.13"), "198.51.100.13");
    assert.throws(
      () => lease("b", "198.51.100.13"),
      (error) => isBerthError(error, "start_failed") && /already in use by a/.test(error.message),
    );
    assert.throws(
      () => lease("b", "198.51.100.9"),
      (error) => isBerthError(error, "start_failed") && /gateway/.test(error.message),
    );
    for (const address of ["198.51.100.8", "198.51.100.15", "198.51.100.16", "nonsense"])
      assert.throws(
        () => lease("b", address),
        (error) => isBerthError(error, "invalid_spec"),
      );
    assert.deepEqual(stack.endpoints("b"), []);
  });

  test("an endpoint read back equals the one given", () => {
    small();
    const given = stack.allocate("a", { network: "small", ports: [{ containerPort: 80, protocol: "tcp", hostIp: "" }] });
    assert.deepEqual(stack.endpoints("a"), [given]);
    assert.equal(given.macAddress, "02:42:c6:33:64:0a");
    assert.deepEqual([given.gateway, given.prefix, given.ports[0]?.hostIp], ["198.51.100.9", 29, "0.0.0.0"]);
  });

  test("an allocation inside the caller's transaction goes with it", () => {
    small();
    assert.throws(() =>
      transaction(db, () => {
        lease("a");
        throw new Error("changed my mind");
      }),
    );
    assert.deepEqual(stack.endpoints("a"), []);
  });
});

describe("ports", () => {
  const udp = (hostPort: number, hostIp = "") => ({ containerPort: 53, protocol: "udp", hostIp, hostPort }) as const;

  test("a socket of the host is noticed on its protocol only", async () => {
    small();
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const { port } = socket.address();
    assert.throws(
      () => stack.allocate("a", { network: "small", ports: [udp(port)] }),
      (error) => isBerthError(error, "start_failed") && /address already in use/.test(error.message),
    );
    assert.equal(stack.allocate("a", { network: "small", ports: [{ ...udp(port), protocol: "tcp" }] }).ports[0]?.hostPort, port);
    await new Promise<void>((resolve) => socket.close(resolve));
  });

  test("one host port twice in one container is refused, on two addresses it is not", () => {
    small();
    const port = stack.allocate("probe", { network: "small", ports: [udp(0)] }).ports[0]?.hostPort ?? 0;
    db.exec("delete from port_bindings");
    assert.throws(() => stack.allocate("a", { network: "small", ports: [udp(port), udp(port, "127.0.0.1")] }), /port is already allocated/);
    assert.equal(stack.allocate("a", { network: "small", ports: [udp(port, "127.0.0.2"), udp(port, "127.0.0.1")] }).ports.length, 2);
    assert.deepEqual(
      stack.ports("a").map(({ hostIp }) => hostIp),
      ["127.0.0.1", "127.0.0.2"],
    );
  });

  test("out of range, or on no IPv4 address, are refused before anything happens", () => {
    for (const wrong of [{ containerPort: 0 }, { containerPort: 65_536 }, { hostPort: 70_000 }, { hostPort: -1 }, { hostIp: "::1" }, { hostIp: "localhost" }]) {
      const ports = [{ ...udp(0), ...wrong }];
      assert.throws(
        () => stack.allocate("a", { network: "no-such-network", ports }),
        (error) => isBerthError(error, "invalid_spec"),
        JSON.stringify(wrong),
      );
    }
  });
});

describe("networks", () => {
  test("unknown ones are not found, the default one always is", () => {
    assert.throws(
      () => stack.allocate("a", { network: "nowhere", ports: [] }),
      (error) => isBerthError(error, "not_found"),
    );
    assert.throws(
      () => stack.inspectNetwork("nowhere"),
      (error) => isBerthError(error, "not_found"),
    );
    assert.equal(stack.inspectNetwork("default").name, "bridge");
    assert.deepEqual(
      stack.listNetworks().map(({ name }) => name),
      ["bridge"],
    );
    assert.throws(
      () => stack.removeNetwork("default"),
      (error) => isBerthError(error, "conflict"),
    );
  });

  test("keep what they were made with", () => {
    const made = stack.createNetwork({ name: "web", subnet: "198.51.100.77/26", gateway: "198.51.100.126", labels: { team: "x" }, internal: true });
    assert.deepEqual(stack.inspectNetwork("web"), made);
    assert.deepEqual([made.subnet, made.gateway, made.labels, made.internal], ["198.51.100.64/26", "198.51.100.126", { team: "x" }, true]);
  });

  test("of equal name or overlapping subnet are refused", () => {
    small();
    for (const o of [{ name: "small" }, { name: "bridge" }, { name: "new", subnet: "198.51.100.0/24" }, { name: "new", subnet: "127.0.0.0/24" }]) {
      assert.throws(
        () => stack.createNetwork(o),
        (error) => isBerthError(error, "conflict"),
        JSON.stringify(o),
      );
    }
    for (const o of [
      { name: "New" },
      { name: "new", subnet: "fd00::/64" },
      { name: "new", subnet: "203.0.113.0/30" },
      { name: "new", subnet: "203.0.113.0/24", gateway: "10.0.0.1" },
    ]) {
      assert.throws(
        () => stack.createNetwork(o),
        (error) => isBerthError(error, "invalid_spec"),
        JSON.stringify(o),
      );
    }
  });

  test("without a subnet get one that nobody has", () => {
    const [a, b] = [stack.createNetwork({ name: "a" }), stack.createNetwork({ name: "b" })];
    assert.match(a.subnet, /\/24$/);
    assert.notEqual(a.subnet, b.subnet);
  });
});
