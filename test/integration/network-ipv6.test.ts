/** Networks with IPv6: what the tests of network.test.ts say about IPv4 holds for the other family as well. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isBerthError } from "../../src/errors.ts";
import type { Endpoint } from "../../src/network/types.ts";
import type { PortMapping } from "../../src/spec/service-spec.ts";
import { allocateOne, ask, command, openWorld, otherMachine, silenceMs, type World } from "./network-world.ts";

let world: World;
before(async () => {
  world = await openWorld();
  world.stack.createNetwork({ name: "dual", enableIpv6: true });
  world.stack.createNetwork({ name: "second", enableIpv6: true });
  world.stack.createNetwork({ name: "inner", enableIpv6: true, internal: true });
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

interface Attached {
  readonly pid: number;
  readonly endpoint: Endpoint;
  readonly ipv6: string;
  readonly gateway6: string;
}

async function attached(key: string, network = "dual", ports: readonly PortMapping[] = []): Promise<Attached> {
  const pid = await world.container();
  const endpoint = allocateOne(world.stack, key, { network, ports });
  world.stack.attach([endpoint], pid);
  return { pid, endpoint, ipv6: endpoint.ipv6?.address ?? "", gateway6: endpoint.ipv6?.gateway ?? "" };
}

async function gone(...all: readonly Attached[]): Promise<void> {
  for (const { pid, endpoint } of all) {
    await world.end(pid);
    await world.stack.release(endpoint.key);
  }
}

describe("in a network with IPv6", () => {
  test("an address is usable at once: containers and the host reach each other without waiting", async () => {
    const [a, b] = [await attached("a"), await attached("b")];
    await world.serve(b.pid, "b", 7000, "::");
    assert.equal(await ask(a.pid, "tcp", b.ipv6, 7000), `b ${a.ipv6}`);
    assert.equal(await ask(a.pid, "udp", b.ipv6, 7000), `b ${a.ipv6}`);
    assert.equal(await ask(undefined, "tcp", b.ipv6, 7000), `b ${b.gateway6}`);
    assert.ok(!command("nsenter", "-t", String(a.pid), "-n", "ip", "-6", "addr", "show", "dev", "eth0", "scope", "global").includes("tentative"));
    await gone(a, b);
  });

  test("another machine is reached and sees the host's address", async () => {
    const other = await otherMachine(world);
    await world.serve(other.pid, "other", 7000, "::");
    const a = await attached("outward");
    assert.equal(await ask(a.pid, "tcp", other.address6, 7000), `other ${other.hostAddress6}`);
    assert.equal(await ask(a.pid, "udp", other.address6, 7000), `other ${other.hostAddress6}`);
    other.close();
    await gone(a);
  });

  test("other bridges and machines that route through the host do not reach in, an internal network does not reach out", async () => {
    const other = await otherMachine(world);
    const [a, b, inner] = [await attached("on-dual"), await attached("on-second", "second"), await attached("on-inner", "inner")];
    await world.serve(b.pid, "b", 7000, "::");
    await world.serve(other.pid, "other", 7000, "::");
    assert.equal(await ask(a.pid, "tcp", b.ipv6, 7000, { patienceMs: silenceMs }), "");
    assert.equal(await ask(other.pid, "tcp", b.ipv6, 7000, { patienceMs: silenceMs }), "");
    command("nsenter", "-t", String(inner.pid), "-n", "ip", "-6", "route", "add", "default", "via", inner.gateway6);
    assert.equal(await ask(inner.pid, "tcp", other.address6, 7000, { patienceMs: silenceMs }), "");
    other.close();
    await gone(a, b, inner);
  });

  for (const protocol of ["tcp", "udp"] as const) {
    test(`${protocol} ports are published in both families, to everybody`, async () => {
      const other = await otherMachine(world);
      const web = await attached("web", "dual", [{ containerPort: 7000, protocol, hostIp: "0.0.0.0" }]);
      const [neighbour, far] = [await attached("neighbour"), await attached("far", "second")];
      await world.serve(web.pid, "web", 7000, "::");
      const [four, six] = world.stack.ports("web");
      assert.deepEqual([four?.hostIp, six?.hostIp, four?.hostPort], ["0.0.0.0", "::", six?.hostPort]);
      const port = six?.hostPort ?? 0;
      assert.match(await ask(undefined, protocol, "127.0.0.1", port), /^web /);
      assert.match(await ask(undefined, protocol, other.hostAddress6, port), /^web /);
      assert.match(await ask(undefined, protocol, web.gateway6, port), /^web /);
      assert.equal(await ask(other.pid, protocol, other.hostAddress6, port), `web ${other.address6}`);
      assert.match(await ask(neighbour.pid, protocol, web.gateway6, port), /^web /);
      assert.match(await ask(web.pid, protocol, web.gateway6, port), /^web /);
      assert.match(await ask(far.pid, protocol, far.gateway6, port), /^web /);
      other.close();
      await gone(web, neighbour, far);
    });
  }

  test("a port on one IPv6 address answers there only, and is refused without IPv6", async () => {
    const other = await otherMachine(world);
    const web = await attached("web", "dual", [{ containerPort: 7000, protocol: "tcp", hostIp: "0.0.0.0" }]);
    const bridge = web.gateway6;
    await gone(web);
    const one = await attached("one", "dual", [{ containerPort: 7000, protocol: "tcp", hostIp: bridge }]);
    await world.serve(one.pid, "one", 7000, "::");
    const port = world.stack.ports("one")[0]?.hostPort ?? 0;
    assert.match(await ask(undefined, "tcp", bridge, port), /^one /);
    assert.equal(await ask(other.pid, "tcp", other.hostAddress6, port, { patienceMs: silenceMs }), "");
    assert.throws(
      () => allocateOne(world.stack, "four", { network: "bridge", ports: [{ containerPort: 80, protocol: "tcp", hostIp: "::" }] }),
      (error) => isBerthError(error, "start_failed") && /no IPv6/.test(error.message),
    );
    other.close();
    await gone(one);
  });
});

test("the name of the bridge and its mtu are as asked for, and no interface of the host is taken over", async () => {
  const options = { "com.docker.network.bridge.name": "bt-custom", "com.docker.network.driver.mtu": "1400" };
  const network = world.stack.createNetwork({ name: "custom", options });
  assert.deepEqual([network.bridge, network.mtu], ["bt-custom", 1400]);
  const a = await attached("customer", "custom");
  const [bridge] = JSON.parse(command("ip", "-j", "link", "show", "bt-custom"));
  const [inside] = JSON.parse(command("nsenter", "-t", String(a.pid), "-n", "ip", "-j", "link", "show", "eth0"));
  assert.deepEqual([bridge.mtu, inside.mtu], [1400, 1400]);
  await gone(a);
  assert.throws(
    () => world.stack.createNetwork({ name: "thief", options: { "com.docker.network.bridge.name": "lo" } }),
    (error) => isBerthError(error, "conflict"),
  );
});

describe("a container in several networks", () => {
  test("leaves by the first that has a way out, and by the next one when that is left", async () => {
    const pid = await world.container();
    const members = ["inner", "dual", "second"].map((network) => ({ network, aliases: [] }));
    for (const member of members) world.stack.join("several", member);
    world.stack.attach(world.stack.allocate("several", { members, ports: [] }), pid);
    const route = (family: string): string => JSON.parse(command("nsenter", "-t", String(pid), "-n", "ip", family, "-j", "route", "show", "default"))[0]?.dev;
    assert.deepEqual([route("-4"), route("-6")], ["eth1", "eth1"]);
    world.stack.disconnect("several", "dual", pid);
    world.stack.finishChange("several", "dual");
    assert.deepEqual([route("-4"), route("-6")], ["eth2", "eth2"]);
    world.stack.disconnect("several", "second", pid);
    world.stack.finishChange("several", "second");
    assert.deepEqual([route("-4"), route("-6")], [undefined, undefined]);
    world.stack.connect("several", { network: "bridge", aliases: [] }, pid);
    world.stack.finishChange("several", "bridge");
    assert.deepEqual([route("-4"), route("-6")], ["eth1", undefined]);
    assert.deepEqual(world.stack.pendingChanges(), []);
    await world.end(pid);
    await world.stack.release("several");
    world.stack.leaveAll("several");
  });
});
