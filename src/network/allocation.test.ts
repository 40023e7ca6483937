import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { type Database, openDatabase, transaction } from "../state/database.ts";
import { networkSchema } from "./records.ts";
import type { PortMapping } from "../spec/service-spec.ts";
import { type NetworkStack, openNetworkStack } from "./stack.ts";
import type { Endpoint } from "./types.ts";

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

/** A lease in one network. */
function allocateOne(
  stack: NetworkStack,
  key: string,
  o: { readonly network: string; readonly ports: readonly PortMapping[]; readonly requestedIp?: string | undefined },
): Endpoint {
  const [endpoint] = stack.allocate(key, { members: [{ network: o.network, aliases: [], ipv4: o.requestedIp }], ports: o.ports });
  assert.ok(endpoint !== undefined);
  return endpoint;
}

const small = (): void => void stack.createNetwork({ name: "small", subnets: [{ subnet: "198.51.100.8/29" }] });
const lease = (key: string, requestedIp?: string): string => allocateOne(stack, key, { network: "small", ports: [], requestedIp }).ipv4;

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
    const given = allocateOne(stack, "a", { network: "small", ports: [{ containerPort: 80, protocol: "tcp", hostIp: "" }] });
    assert.deepEqual(stack.endpoints("a"), [given]);
    assert.equal(given.macAddress, "02:42:c6:33:64:0a");
    assert.deepEqual([given.gateway, given.prefix, given.ports[0]?.hostIp], ["198.51.100.9", 29, "0.0.0.0"]);
  });

  test("one look at all keys sees what a look at each sees", () => {
    small();
    stack.createNetwork({ name: "other", subnets: [{ subnet: "203.0.113.0/29" }] });
    const ports = [81, 80].map((containerPort) => ({ containerPort, protocol: "tcp" as const, hostIp: "" }));
    stack.allocate("a", { members: ["small", "other"].map((network) => ({ network, aliases: [] })), ports });
    stack.allocate("b", { members: [{ network: "small", aliases: [] }], ports: [] });
    for (const network of ["small", "other"]) stack.join("a", { network, aliases: ["x"] });
    const { endpoints, memberships, ids } = stack.survey();
    for (const key of ["a", "b"]) assert.deepEqual(endpoints.get(key), stack.endpoints(key));
    assert.deepEqual(memberships, new Map([["a", stack.memberships("a")]]));
    for (const name of ["small", "other"]) assert.equal(ids.get(name), stack.idOf(name));
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
      () => allocateOne(stack, "a", { network: "small", ports: [udp(port)] }),
      (error) => isBerthError(error, "start_failed") && /address already in use/.test(error.message),
    );
    assert.equal(allocateOne(stack, "a", { network: "small", ports: [{ ...udp(port), protocol: "tcp" }] }).ports[0]?.hostPort, port);
    await new Promise<void>((resolve) => socket.close(resolve));
  });

  test("one host port twice in one container is refused, on two addresses it is not", () => {
    small();
    const port = allocateOne(stack, "probe", { network: "small", ports: [udp(0)] }).ports[0]?.hostPort ?? 0;
    db.exec("delete from port_bindings");
    assert.throws(() => allocateOne(stack, "a", { network: "small", ports: [udp(port), udp(port, "127.0.0.1")] }), /port is already allocated/);
    assert.equal(allocateOne(stack, "a", { network: "small", ports: [udp(port, "127.0.0.2"), udp(port, "127.0.0.1")] }).ports.length, 2);
    assert.deepEqual(
      stack.ports("a").map(({ hostIp }) => hostIp),
      ["127.0.0.1", "127.0.0.2"],
    );
  });

  test("out of range, or on no address, are refused before anything happens", () => {
    for (const wrong of [{ containerPort: 0 }, { containerPort: 65_536 }, { hostPort: 70_000 }, { hostPort: -1 }, { hostIp: "localhost" }]) {
      const ports = [{ ...udp(0), ...wrong }];
      assert.throws(
        () => allocateOne(stack, "a", { network: "no-such-network", ports }),
        (error) => isBerthError(error, "invalid_spec"),
        JSON.stringify(wrong),
      );
    }
  });
});

describe("networks", () => {
  test("unknown ones are not found, the default one always is", () => {
    assert.throws(
      () => allocateOne(stack, "a", { network: "nowhere", ports: [] }),
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
    const made = stack.createNetwork({
      name: "web",
      subnets: [{ subnet: "198.51.100.77/26", gateway: "198.51.100.126" }],
      labels: { team: "x" },
      internal: true,
    });
    assert.deepEqual(stack.inspectNetwork("web"), made);
    assert.deepEqual([made.subnet, made.gateway, made.labels, made.internal], ["198.51.100.64/26", "198.51.100.126", { team: "x" }, true]);
  });

  test("of equal name or overlapping subnet are refused", () => {
    small();
    for (const o of [
      { name: "small" },
      { name: "bridge" },
      { name: "new", subnets: [{ subnet: "198.51.100.0/24" }] },
      { name: "new", subnets: [{ subnet: "127.0.0.0/24" }] },
    ]) {
      assert.throws(
        () => stack.createNetwork(o),
        (error) => isBerthError(error, "conflict"),
        JSON.stringify(o),
      );
    }
    for (const o of [
      { name: "new net" },
      { name: "new", subnets: [{ subnet: "fd00::/64" }], enableIpv6: false },
      { name: "new", subnets: [{ subnet: "203.0.113.0/31" }] },
      { name: "new", subnets: [{ subnet: "203.0.113.0/24" }, { subnet: "203.0.112.0/24" }] },
      { name: "new", subnets: [{ subnet: "203.0.113.0/24", ipRange: "203.0.112.0/25" }] },
      { name: "new", options: { "com.docker.network.driver.mtu": "tiny" } },
      { name: "new", options: { "com.docker.network.bridge.name": "much-too-long-for-a-link" } },
      { name: "new", subnets: [{ subnet: "203.0.113.0/24", gateway: "10.0.0.1" }] },
    ]) {
      assert.throws(
        () => stack.createNetwork(o),
        (error) => isBerthError(error, "invalid_spec"),
        JSON.stringify(o),
      );
    }
  });

  test("give addresses out of their range only, and of both families", async () => {
    stack.createNetwork({
      name: "ranged",
      subnets: [
        { subnet: "198.51.100.0/24", ipRange: "198.51.100.64/30" },
        { subnet: "fd12:3456::/64", ipRange: "fd12:3456::100/126" },
      ],
    });
    const both = (key: string): (string | undefined)[] => {
      const [endpoint] = stack.allocate(key, { members: [{ network: "ranged", aliases: [] }], ports: [] });
      return [endpoint?.ipv4, endpoint?.ipv6?.address];
    };
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => both(key)[0]),
      [64, 65, 66, 67].map((last) => `198.51.100.${last}`),
    );
    assert.deepEqual(new Set(["a", "b", "c", "d"].map((key) => stack.endpoints(key)[0]?.ipv6?.address)).size, 4);
    assert.match(stack.endpoints("a")[0]?.ipv6?.address ?? "", /^fd12:3456::10[0-3]$/);
    assert.throws(
      () => both("e"),
      (error) => isBerthError(error, "network") && /no free address/.test(error.message),
    );
    const [fixed] = stack.allocate("f", { members: [{ network: "ranged", aliases: [], ipv4: "198.51.100.9", ipv6: "FD12:3456:0::9" }], ports: [] });
    assert.deepEqual([fixed?.ipv4, fixed?.ipv6], ["198.51.100.9", { address: "fd12:3456::9", prefix: 64, gateway: "fd12:3456::1" }]);
  });

  test("leave an address that a container asked for by name to it, also while it does not run", () => {
    small();
    stack.join("owner", { network: "small", aliases: [], ipv4: "198.51.100.10" });
    assert.equal(lease("a"), "198.51.100.11");
    assert.equal(lease("owner", "198.51.100.10"), "198.51.100.10");
    assert.throws(
      () => stack.join("owner", { network: "small", aliases: [] }),
      (error) => isBerthError(error, "conflict"),
    );
    stack.leaveAll("owner");
    assert.deepEqual(stack.memberships("owner"), []);
  });

  test("without a subnet get one that nobody has", () => {
    const [a, b] = [stack.createNetwork({ name: "a" }), stack.createNetwork({ name: "b" })];
    assert.match(a.subnet, /\/24$/);
    assert.notEqual(a.subnet, b.subnet);
  });
});
