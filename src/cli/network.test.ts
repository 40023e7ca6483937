import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { mockBench } from "../../test/support/cli-host.ts";

let bench: Awaited<ReturnType<typeof mockBench>>;
before(async () => {
  bench = await mockBench();
});

async function ok(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await bench.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}

async function fails(code: number, why: RegExp, ...args: string[]): Promise<void> {
  const done = await bench.run(args);
  assert.equal(done.code, code, done.stderr);
  assert.match(done.stderr, why);
}

/** Networks of a container, by name. */
async function networksOf(container: string): Promise<Record<string, { IPAddress: string; GlobalIPv6Address: string; MacAddress: string; Aliases: string[] }>> {
  return JSON.parse(await ok("inspect", container))[0].NetworkSettings.Networks;
}

describe("network", () => {
  test("create prints the id, ls and inspect show what was made", async () => {
    const flags = ["--subnet", "10.40.0.0/24", "--gateway", "10.40.0.254", "--ip-range", "10.40.0.128/25", "--subnet", "fd40::/64"];
    const id = await ok("network", "create", ...flags, "--internal", "--label", "a=b", "-o", "com.docker.network.driver.mtu=1400", "made");
    assert.match(id, /^[0-9a-f]{64}$/);
    const [record] = JSON.parse(await ok("network", "inspect", "made"));
    assert.deepEqual([record.Id, record.Internal, record.EnableIPv6, record.Labels], [id, true, true, { a: "b" }]);
    assert.deepEqual(record.Options, { "com.docker.network.driver.mtu": "1400" });
    assert.deepEqual(record.IPAM.Config, [
      { Subnet: "10.40.0.0/24", IPRange: "10.40.0.128/25", Gateway: "10.40.0.254" },
      { Subnet: "fd40::/64", Gateway: "fd40::1" },
    ]);
    assert.equal(await ok("network", "inspect", "-f", "{{.Name}}", id.slice(0, 12)), "made");
    const [header, ...lines] = (await ok("network", "ls")).split("\n");
    assert.match(header ?? "", /^NETWORK ID +NAME +DRIVER +SCOPE$/);
    assert.deepEqual(
      lines.map((line) => line.split(/ +/).slice(1)),
      [
        ["bridge", "bridge", "local"],
        ["host", "host", "local"],
        ["made", "bridge", "local"],
        ["none", "null", "local"],
      ],
    );
    assert.equal(await ok("network", "ls", "-q", "--no-trunc", "--filter", "label=a"), id);
    assert.equal(await ok("network", "ls", "-f", "type=custom", "--format", "{{.Name}} {{.Internal}}"), "made true");
    assert.equal(await ok("network", "rm", "made"), "made");
  });

  test("says what is wrong", async () => {
    await fails(1, /no network nowhere/, "network", "inspect", "nowhere");
    await fails(1, /No such network: nowhere\n/, "network", "rm", "nowhere");
    assert.equal(await ok("network", "rm", "-f", "nowhere"), "");
    await fails(1, /predefined/, "network", "rm", "bridge");
    await fails(1, /exists/, "network", "create", "host");
    await fails(1, /overlay/, "network", "create", "-d", "overlay", "x");
    await fails(125, /no matching subnet/, "network", "create", "--subnet", "10.41.0.0/24", "--gateway", "10.42.0.1", "x");
    await fails(125, /not a subnet/, "network", "create", "--subnet", "10.41.0.0", "x");
  });

  test("connect and disconnect move a running container, rm refuses while it is there", async () => {
    await ok("network", "create", "--subnet", "10.43.0.0/24", "moved");
    await ok("run", "-d", "--name", "mover", "demo", "wait");
    assert.equal(await ok("network", "connect", "--ip", "10.43.0.9", "--alias", "m", "moved", "mover"), "");
    const networks = await networksOf("mover");
    assert.deepEqual(Object.keys(networks).sort(), ["bridge", "moved"]);
    assert.equal(networks["moved"]?.IPAddress, "10.43.0.9");
    assert.equal(networks["moved"]?.Aliases[0], "m");
    await fails(1, /in use/, "network", "rm", "moved");
    assert.equal(await ok("network", "disconnect", "moved", "mover"), "");
    assert.deepEqual(Object.keys(await networksOf("mover")), ["bridge"]);
    await ok("rm", "-f", "mover");
    assert.equal(await ok("network", "prune", "-f"), "Deleted Networks:\nmoved");
    assert.equal((await bench.run(["network", "prune"], { stdin: "n\n" })).stdout.includes("Deleted"), false);
  });
});

describe("run --network", () => {
  test("several, with aliases and fixed addresses of the first", async () => {
    await ok("network", "create", "--subnet", "10.44.0.0/24", "--subnet", "fd44::/64", "front");
    await ok("network", "create", "--subnet", "10.45.0.0/24", "back");
    const flags = ["--network", "front", "--network", "name=back,alias=db,ip=10.45.0.7", "--network-alias", "web", "--ip", "10.44.0.5", "--ip6", "fd44::5"];
    await ok("run", "-d", "--name", "both", ...flags, "--mac-address", "02:42:00:00:00:05", "demo", "wait");
    const { front, back } = await networksOf("both");
    assert.deepEqual([front?.IPAddress, front?.GlobalIPv6Address, front?.MacAddress, front?.Aliases[0]], ["10.44.0.5", "fd44::5", "02:42:00:00:00:05", "web"]);
    assert.deepEqual([back?.IPAddress, back?.Aliases[0]], ["10.45.0.7", "db"]);
    await ok("rm", "-f", "both");
  });

  test("refuses what does not go together", async () => {
    await fails(125, /conflicting options/, "run", "--network", "host", "--network", "front", "demo");
    await fails(125, /conflicting options/, "run", "--network", "none", "--ip", "10.0.0.1", "demo");
    await fails(125, /name= is missing/, "run", "--network", "alias=x", "demo");
    await fails(125, /aliases/, "run", "--network-alias", "x", "demo");
    await fails(125, /no network nowhere/, "run", "--network", "nowhere", "demo");
  });
});
