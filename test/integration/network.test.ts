import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isBerthError } from "../../src/errors.ts";
import { openNetworkStack } from "../../src/network/stack.ts";
import { openDatabase } from "../../src/state/database.ts";
import { networkSchema } from "../../src/network/records.ts";
import { allocateOne, ask, command, openWorld, otherMachine, silenceMs, tableOf, tracesOf, type World } from "./network-world.ts";

const port = (containerPort: number, o: { hostPort?: number; protocol?: "tcp" | "udp"; hostIp?: string } = {}) =>
  ({ containerPort, protocol: "tcp", hostIp: "0.0.0.0", ...o }) as const;

let world: World;
before(async () => {
  world = await openWorld();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

async function attached(key: string, ports: readonly ReturnType<typeof port>[] = [], network = "bridge") {
  const pid = await world.container();
  const endpoint = allocateOne(world.stack, key, { network, ports });
  world.stack.attach([endpoint], pid);
  return { pid, endpoint };
}

describe("a container on the default bridge", () => {
  test("has its address, a default route, loopback and the derived mac", async () => {
    const { pid, endpoint } = await attached("plain");
    const [lo, eth0] = JSON.parse(command("nsenter", "-t", String(pid), "-n", "ip", "-j", "addr"));
    assert.ok(lo.flags.includes("UP"));
    assert.equal(eth0.ifname, "eth0");
    assert.equal(eth0.address, endpoint.macAddress);
    assert.equal(eth0.addr_info.find((info: { family: string }) => info.family === "inet").local, endpoint.ipv4);
    const [route] = JSON.parse(command("nsenter", "-t", String(pid), "-n", "ip", "-j", "route", "show", "default"));
    assert.equal(route.gateway, endpoint.gateway);
    await world.end(pid);
    await world.stack.release("plain");
  });

  test("and another one reach each other, and the host reaches both", async () => {
    const [a, b] = [await attached("a"), await attached("b")];
    await world.serve(b.pid, "b", 7000);
    assert.equal(await ask(a.pid, "tcp", b.endpoint.ipv4, 7000), `b ${a.endpoint.ipv4}`);
    assert.equal(await ask(a.pid, "udp", b.endpoint.ipv4, 7000), `b ${a.endpoint.ipv4}`);
    assert.equal(await ask(undefined, "tcp", b.endpoint.ipv4, 7000), `b ${b.endpoint.gateway}`);
    for (const { pid, endpoint } of [a, b]) {
      await world.end(pid);
      await world.stack.release(endpoint.key);
    }
  });

  test("reaches another machine, which sees the host's address", async () => {
    const other = await otherMachine(world);
    await world.serve(other.pid, "other", 7000);
    const { pid } = await attached("outward");
    assert.equal(await ask(pid, "tcp", other.address, 7000), `other ${other.hostAddress}`);
    assert.equal(await ask(pid, "udp", other.address, 7000), `other ${other.hostAddress}`);
    other.close();
    await world.end(pid);
    await world.stack.release("outward");
  });

  test("cannot reach what listens on the host's loopback", async () => {
    const server = createServer((socket) => socket.end("secret"))
      .listen(0, "127.0.0.1")
      .unref();
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const { pid, endpoint } = await attached("curious");
    // A container with NET_ADMIN could ask like this; without the guard the bridge's route_localnet lets it through.
    command("nsenter", "-t", String(pid), "-n", "ip", "addr", "del", "127.0.0.1/8", "dev", "lo");
    command("nsenter", "-t", String(pid), "-n", "sysctl", "-q", "-w", "net.ipv4.conf.eth0.route_localnet=1");
    command("nsenter", "-t", String(pid), "-n", "ip", "route", "add", "127.0.0.0/8", "via", endpoint.gateway, "src", endpoint.ipv4);
    assert.equal(await ask(pid, "tcp", "127.0.0.1", address.port, { patienceMs: silenceMs }), "");
    server.close();
    await world.end(pid);
    await world.stack.release("curious");
  });
});

describe("published ports", () => {
  for (const protocol of ["tcp", "udp"] as const) {
    test(`${protocol}: from the host, its loopback, another machine, a neighbour, oneself and another bridge`, async () => {
      const other = await otherMachine(world);
      world.stack.createNetwork({ name: `far-${protocol}` });
      const { pid, endpoint } = await attached("web", [port(7000, { protocol })]);
      const neighbour = await attached("neighbour");
      const far = await attached("far", [], `far-${protocol}`);
      await world.serve(pid, "web", 7000);
      const hostPort = endpoint.ports[0]?.hostPort ?? 0;
      assert.ok(hostPort > 0);
      assert.deepEqual(world.stack.ports("web"), [{ protocol, hostIp: "0.0.0.0", hostPort, containerPort: 7000 }]);
      assert.match(await ask(undefined, protocol, "127.0.0.1", hostPort), /^web /);
      assert.match(await ask(undefined, protocol, other.hostAddress, hostPort), /^web /);
      assert.match(await ask(undefined, protocol, endpoint.gateway, hostPort), /^web /);
      assert.equal(await ask(other.pid, protocol, other.hostAddress, hostPort), `web ${other.address}`);
      assert.match(await ask(neighbour.pid, protocol, other.hostAddress, hostPort), /^web /);
      assert.match(await ask(neighbour.pid, protocol, endpoint.gateway, hostPort), /^web /);
      assert.match(await ask(pid, protocol, endpoint.gateway, hostPort), /^web /);
      assert.match(await ask(far.pid, protocol, far.endpoint.gateway, hostPort), /^web /);
      other.close();
      for (const each of [{ pid, endpoint }, neighbour, far]) {
        await world.end(each.pid);
        await world.stack.release(each.endpoint.key);
      }
      assert.equal(await ask(undefined, protocol, "127.0.0.1", hostPort, { patienceMs: silenceMs }), "");
    });
  }

  test("on 127.0.0.1 answer there only", async () => {
    const other = await otherMachine(world);
    const { pid, endpoint } = await attached("local", [port(7000, { hostIp: "127.0.0.1" })]);
    await world.serve(pid, "local", 7000);
    const hostPort = endpoint.ports[0]?.hostPort ?? 0;
    assert.match(await ask(undefined, "tcp", "127.0.0.1", hostPort), /^local /);
    assert.equal(await ask(other.pid, "tcp", other.hostAddress, hostPort, { patienceMs: silenceMs }), "");
    other.close();
    await world.end(pid);
    await world.stack.release("local");
  });

  test("a udp flow follows the port to the next container", async () => {
    const hostPort = allocateOne(world.stack, "probe", { network: "bridge", ports: [port(7000, { protocol: "udp" })] }).ports[0]?.hostPort ?? 0;
    await world.stack.release("probe");
    const clientPort = 20_000 + (process.pid % 10_000);
    for (const key of ["first", "second"]) {
      const { pid } = await attached(key, [port(7000, { protocol: "udp", hostPort })]);
      await world.serve(pid, key, 7000);
      assert.match(await ask(undefined, "udp", "127.0.0.1", hostPort, { from: clientPort }), new RegExp(`^${key} `));
      await world.end(pid);
      await world.stack.release(key);
    }
  });

  test("that are taken fail with their reason, and leave nothing reserved", async () => {
    const taken = allocateOne(world.stack, "owner", { network: "bridge", ports: [port(80)] }).ports[0]?.hostPort ?? 0;
    for (const hostIp of ["0.0.0.0", "127.0.0.1"]) {
      assert.throws(
        () => allocateOne(world.stack, "late", { network: "bridge", ports: [port(81), port(80, { hostPort: taken, hostIp })] }),
        (error) => isBerthError(error, "start_failed") && /port is already allocated to owner/.test(error.message),
      );
    }
    assert.deepEqual([world.stack.endpoints("late"), world.stack.ports("late")], [[], []]);
    await world.stack.release("owner");

    const server = createServer().listen(0, "0.0.0.0").unref();
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    assert.throws(
      () => allocateOne(world.stack, "late", { network: "bridge", ports: [port(80, { hostPort: address.port })] }),
      (error) => isBerthError(error, "start_failed") && /address already in use/.test(error.message),
    );
    server.close();
    assert.throws(
      () => allocateOne(world.stack, "late", { network: "bridge", ports: [port(80, { hostPort: 4711, hostIp: "203.0.113.9" })] }),
      (error) => isBerthError(error, "start_failed") && /does not have it/.test(error.message),
    );
    assert.deepEqual(world.stack.endpoints("late"), []);
  });

  test("of another state root are taken too", async () => {
    await using elsewhere = await openWorld();
    const pid = await elsewhere.container();
    const endpoint = allocateOne(elsewhere.stack, "theirs", { network: "bridge", ports: [port(80)] });
    elsewhere.stack.attach([endpoint], pid);
    const hostPort = endpoint.ports[0]?.hostPort ?? 0;
    assert.throws(() => allocateOne(world.stack, "ours", { network: "bridge", ports: [port(80, { hostPort })] }), /port is already allocated/);
  });
});

describe("networks", () => {
  test("are isolated from each other and from machines that route through the host", async () => {
    const other = await otherMachine(world);
    world.stack.createNetwork({ name: "island" });
    const [a, b] = [await attached("on-bridge"), await attached("on-island", [], "island")];
    await world.serve(b.pid, "b", 7000);
    assert.equal(await ask(a.pid, "tcp", b.endpoint.ipv4, 7000, { patienceMs: silenceMs }), "");
    assert.equal(await ask(other.pid, "tcp", b.endpoint.ipv4, 7000, { patienceMs: silenceMs }), "");
    assert.throws(
      () => world.stack.removeNetwork("island"),
      (error) => isBerthError(error, "conflict") && /on-island/.test(error.message),
    );
    other.close();
    for (const each of [a, b]) {
      await world.end(each.pid);
      await world.stack.release(each.endpoint.key);
    }
    world.stack.removeNetwork("island");
    assert.ok(!tracesOf(world).links.includes(b.endpoint.bridge));
  });

  test("that are internal have no way out", async () => {
    const other = await otherMachine(world);
    await world.serve(other.pid, "other", 7000);
    world.stack.createNetwork({ name: "inner", internal: true });
    const [a, b] = [await attached("inner-a", [], "inner"), await attached("inner-b", [], "inner")];
    await world.serve(b.pid, "b", 7000);
    assert.equal(await ask(a.pid, "tcp", b.endpoint.ipv4, 7000), `b ${a.endpoint.ipv4}`);
    command("nsenter", "-t", String(a.pid), "-n", "ip", "route", "add", "default", "via", a.endpoint.gateway);
    assert.equal(await ask(a.pid, "tcp", other.address, 7000, { patienceMs: silenceMs }), "");
    other.close();
    for (const each of [a, b]) {
      await world.end(each.pid);
      await world.stack.release(each.endpoint.key);
    }
  });

  test("come back after their bridge and the table were taken away", async () => {
    const first = await attached("before", [port(7000)]);
    const bridge = first.endpoint.bridge;
    command("ip", "link", "del", bridge);
    command("nft", "delete", "table", "inet", tableOf([bridge]));
    const second = await attached("after");
    await world.serve(second.pid, "after", 7000);
    assert.match(await ask(undefined, "tcp", second.endpoint.ipv4, 7000), /^after /);
    for (const each of [first, second]) {
      await world.end(each.pid);
      await world.stack.release(each.endpoint.key);
    }
  });

  test("of a state directory that was deleted are taken over by the next one", async () => {
    const old = world.stack.createNetwork({ name: "reborn", subnets: [{ subnet: "198.51.100.0/25" }] });
    const before = [await attached("old-a"), await attached("old-b", [], "reborn")];
    const db = await openDatabase(join(dirname(world.databasePath), "next.db"), [networkSchema]);
    const next = openNetworkStack({ db, uuid: world.uuid, defaultRoot: false });
    assert.equal(next.inspectNetwork("bridge").subnet, world.stack.inspectNetwork("bridge").subnet);
    const reborn = next.createNetwork({ name: "reborn", subnets: [{ subnet: "198.51.100.128/25" }] });
    assert.equal(reborn.bridge, old.bridge);
    const pid = await world.container();
    next.attach([allocateOne(next, "new", { network: "reborn", ports: [port(7000)] })], pid);
    await world.serve(pid, "new", 7000);
    assert.match(await ask(undefined, "tcp", "127.0.0.1", next.ports("new")[0]?.hostPort ?? 0), /^new /);
    await world.end(pid);
    await next.release("new");
    db.close();
    for (const each of before) {
      await world.end(each.pid);
      await world.stack.release(each.endpoint.key);
    }
    world.stack.removeNetwork("reborn");
  });
});

describe("attaching", () => {
  test("refuses a process in the host's network, and one that is gone", async () => {
    const endpoint = allocateOne(world.stack, "wrong", { network: "bridge", ports: [] });
    assert.throws(() => world.stack.attach([endpoint], process.pid), /shares the network of the host/);
    assert.throws(() => world.stack.attach([endpoint], 2 ** 22 + 1), /has ended/);
    assert.throws(() => world.stack.loopbackOnly(process.pid), /shares the network of the host/);
    await world.stack.release("wrong");
  });

  test("that fails half way leaves neither interface nor port", async () => {
    const pid = await world.container();
    command("nsenter", "-t", String(pid), "-n", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth9");
    const endpoint = allocateOne(world.stack, "blocked", { network: "bridge", ports: [port(80)] });
    assert.throws(
      () => world.stack.attach([endpoint], pid),
      (error) => isBerthError(error, "network") && /blocked/.test(error.message),
    );
    assert.ok(!tracesOf(world).links.includes(endpoint.hostInterface));
    assert.ok(!command("nft", "list", "ruleset").includes(endpoint.ipv4));
    await world.stack.release("blocked");
  });

  test("replaces what an earlier namespace of the same key left", async () => {
    const old = await attached("again");
    const fresh = await attached("again");
    await world.serve(fresh.pid, "again", 7000);
    assert.match(await ask(undefined, "tcp", fresh.endpoint.ipv4, 7000), /^again /);
    for (const pid of [old.pid, fresh.pid]) await world.end(pid);
    await world.stack.release("again");
  });

  test("mode none has loopback only", async () => {
    const pid = await world.container();
    world.stack.loopbackOnly(pid);
    const links = JSON.parse(command("nsenter", "-t", String(pid), "-n", "ip", "-j", "link"));
    assert.deepEqual(
      links.filter((link: { flags: string[] }) => link.flags.includes("UP")).map((link: { ifname: string }) => link.ifname),
      ["lo"],
    );
    await world.end(pid);
  });
});

describe("cleanup", () => {
  test("release takes the interface also while processes live on, and may be repeated", async () => {
    const { pid, endpoint } = await attached("stubborn", [port(80)]);
    assert.ok(tracesOf(world).links.includes(endpoint.hostInterface));
    await world.stack.release("stubborn");
    await world.stack.release("stubborn");
    assert.ok(!tracesOf(world).links.includes(endpoint.hostInterface));
    assert.ok(!command("nft", "list", "ruleset").includes(endpoint.ipv4));
    assert.deepEqual(world.stack.endpoints("stubborn"), []);
    await world.end(pid);
  });

  test("leftovers of dead keys and unrecorded ones go, live ones and foreign links stay", async () => {
    const [live, dead, lost] = [await attached("live", [port(80)]), await attached("dead", [port(80)]), await attached("lost", [port(80)])];
    world.db.exec("delete from port_bindings where key = 'lost'; delete from leases where key = 'lost'");
    command("ip", "link", "add", "btforeign0", "type", "veth", "peer", "name", "btforeign1");
    command("ip", "link", "set", "btforeign0", "master", live.endpoint.bridge);
    assert.deepEqual(world.stack.detachLeftovers(new Set(["live"])), ["dead"]);
    const { links } = tracesOf(world);
    command("ip", "link", "del", "btforeign0");
    assert.deepEqual(
      links.filter((name) => name.startsWith("ve")),
      [live.endpoint.hostInterface],
    );
    assert.ok(links.includes("btforeign0"));
    const rules = command("nft", "list", "table", "inet", tableOf([live.endpoint.bridge]));
    assert.deepEqual(
      [live, dead, lost].map(({ endpoint }) => rules.includes(`${endpoint.ipv4} .`)),
      [true, false, false],
    );
    for (const { pid } of [live, dead, lost]) await world.end(pid);
    await world.stack.release("live");
  });

  test("a whole life leaves nothing behind", async () => {
    const count = (): unknown[] => world.db.prepare("select (select count(*) from leases) leases, (select count(*) from port_bindings) ports").all();
    const keys = Array.from({ length: 6 }, (_, index) => `life-${index}`);
    const lives = await Promise.all(keys.map((key) => attached(key, [port(80), port(80, { protocol: "udp" })])));
    assert.equal(new Set(lives.map(({ endpoint }) => endpoint.ipv4)).size, keys.length);
    await Promise.all(lives.map(({ pid }) => world.end(pid)));
    await Promise.all(keys.map((key) => world.stack.release(key)));
    assert.deepEqual(
      count().map((row) => ({ ...Object(row) })),
      [{ leases: 0, ports: 0 }],
    );
    world.stack.removeIdle();
    assert.deepEqual(tracesOf(world), { links: [], rules: "" });
  });
});

describe("several processes on one database", () => {
  test("never lease an address or a port twice", async () => {
    const code = `
      const { openDatabase } = await import(${JSON.stringify(new URL("../../src/state/database.ts", import.meta.url).href)});
      const { openNetworkStack } = await import(${JSON.stringify(new URL("../../src/network/stack.ts", import.meta.url).href)});
      const [path, uuid, name] = process.argv.slice(1);
      const stack = openNetworkStack({ db: await openDatabase(path, []), uuid, defaultRoot: false });
      for (let i = 0; i < 40; i += 1) {
        const [{ ipv4, ports }] = stack.allocate(name + i, { members: [{ network: "bridge", aliases: [] }], ports: [{ containerPort: 80, protocol: "tcp", hostIp: "" }] });
        console.log(ipv4 + " " + ports[0].hostPort);
      }`;
    const outputs = await Promise.all(
      ["p", "q", "r"].map(async (name) => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", code, world.databasePath, world.uuid, name], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let text = "";
        child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
        const exitCode = await new Promise((resolve) => child.once("close", resolve));
        assert.equal(exitCode, 0);
        return text.trim().split("\n");
      }),
    );
    const lines = outputs.flat();
    assert.equal(lines.length, 120);
    assert.equal(new Set(lines.map((line) => line.split(" ")[0])).size, 120);
    assert.equal(new Set(lines.map((line) => line.split(" ")[1])).size, 120);
    assert.equal(world.stack.detachLeftovers(new Set()).length, 120);
  });

  test("see each other's leases", async () => {
    const db = await openDatabase(world.databasePath, [networkSchema]);
    const second = openNetworkStack({ db, uuid: world.uuid, defaultRoot: false });
    const { ipv4 } = allocateOne(world.stack, "shared", { network: "bridge", ports: [] });
    assert.equal(second.endpoints("shared")[0]?.ipv4, ipv4);
    assert.throws(
      () => allocateOne(second, "other", { network: "bridge", ports: [], requestedIp: ipv4 }),
      (error) => isBerthError(error, "start_failed") && /already in use by shared/.test(error.message),
    );
    await second.release("shared");
    assert.deepEqual(world.stack.endpoints("shared"), []);
    db.close();
  });
});
