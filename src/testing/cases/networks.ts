/** Networks as things of their own (contract Appendix B): made, listed, joined, left, removed, pruned. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import type { NetworksFacet } from "../../runtime/extras.ts";
import type { NetworkAttachmentDetail } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { aborter, eventually, rejectsBecause, rejectsWith } from "./expect.ts";

function facet(t: ContractContext): NetworksFacet {
  const { networks } = t.runtime.extras ?? {};
  assert.ok(networks !== undefined, "the backend has networks");
  return networks;
}

/** A private /24 for each case, so that cases of one backend do not meet. */
let lastSubnet = 0;
function newSubnet(): { readonly subnet: string; readonly address: (last: number) => string } {
  const number = ++lastSubnet;
  const address = (last: number): string => `10.77.${number}.${last}`;
  return { subnet: `${address(0)}/24`, address };
}

function newSubnet6(): { readonly subnet: string; readonly address: (last: string) => string } {
  const number = ++lastSubnet;
  const address = (last: string): string => `fd77:${number.toString(16)}::${last}`;
  return { subnet: `${address("")}/64`, address };
}

async function attachment(t: ContractContext, id: ContainerId, network: string): Promise<NetworkAttachmentDetail | undefined> {
  return (await t.runtime.inspectDetailed(id)).networks.find((one) => one.network === network);
}

/** The address that a name has for a container; asked again while the name server is busy. */
async function resolved(t: ContractContext, id: ContainerId, name: string): Promise<string | undefined> {
  for (let tries = 0; ; tries += 1) {
    const { stdout, stderr } = await t.runtime.exec(id, programs.shell(`nslookup ${name}. 2>&1`));
    const answer = /^Name:.*\nAddress: (\S+)$/m.exec(stdout)?.[1];
    if (answer !== undefined || stdout.includes("NXDOMAIN")) return answer;
    assert.ok(tries < 20, `no answer about ${name}: ${stdout}${stderr}`);
  }
}

async function answers(host: string, port: number): Promise<void> {
  await eventually(`${host}:${port} answers`, () =>
    fetchText(host, port).then(
      (text) => text.includes("hello"),
      () => false,
    ),
  );
}

function fetchText(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 2000 }, () => socket.write("GET /index.html HTTP/1.0\r\n\r\n"));
    let seen = "";
    socket.on("data", (bytes) => (seen += bytes.toString()));
    socket.on("timeout", () => socket.destroy(new Error("timeout")));
    socket.on("error", reject);
    socket.on("close", () => resolve(seen));
  });
}

const names = (networks: readonly { readonly network: string }[]): string[] => networks.map(({ network }) => network).sort();

export const networksCases: readonly ContractCase[] = [
  {
    name: "the predefined networks are listed and inspected, and cannot be made or removed",
    needs: ["networks"],
    run: async (t) => {
      const listed = await facet(t).list();
      for (const [name, driver] of [
        ["bridge", "bridge"],
        ["host", "host"],
        ["none", "none"],
      ] as const) {
        const found = listed.find((network) => network.name === name);
        assert.equal(found?.driver, driver);
        assert.match(found?.id ?? "", /^[0-9a-f]{64}$/);
        assert.equal((await facet(t).inspect(name)).id, found?.id);
        await rejectsWith("conflict", facet(t).remove(name));
        await rejectsWith("conflict", facet(t).create({ name }));
      }
      assert.equal(listed.find(({ name }) => name === "bridge")?.subnets.length, 1);
    },
  },
  {
    name: "a network that was made is inspected by name, id and prefix, with all it was made with",
    needs: ["networks"],
    run: async (t) => {
      const { subnet, address } = newSubnet();
      const options = { "com.docker.network.driver.mtu": "1400", "org.example.unknown": "kept" };
      const name = await t.network({
        subnets: [{ subnet, gateway: address(254), ipRange: `${address(128)}/25` }],
        labels: { tier: "gold" },
        options,
        internal: true,
      });
      const made = await facet(t).inspect(name);
      assert.match(made.id, /^[0-9a-f]{64}$/);
      assert.deepEqual(
        { ...made, id: "", createdAt: undefined },
        {
          id: "",
          name,
          driver: "bridge",
          internal: true,
          enableIpv6: false,
          subnets: [{ subnet, gateway: address(254), ipRange: `${address(128)}/25` }],
          labels: { tier: "gold" },
          options,
          createdAt: undefined,
          containers: [],
        },
      );
      assert.ok(made.createdAt !== undefined && Math.abs(made.createdAt.getTime() - Date.now()) < 60_000);
      assert.deepEqual(await facet(t).inspect(made.id), made);
      assert.deepEqual(await facet(t).inspect(made.id.slice(0, 12)), made);
      assert.deepEqual(
        (await facet(t).list()).find((network) => network.name === name),
        made,
      );
    },
  },
  {
    name: "networks of equal name or overlapping subnet are a conflict, impossible ones are an invalid spec",
    needs: ["networks"],
    run: async (t) => {
      const { subnet, address } = newSubnet();
      const name = await t.network({ subnets: [{ subnet }] });
      await rejectsWith("conflict", facet(t).create({ name }));
      const overlap = await rejectsWith("conflict", facet(t).create({ name: `${name}-2`, subnets: [{ subnet: `${address(0)}/16` }] }));
      assert.ok(overlap.message.includes(subnet), overlap.message);
      await rejectsWith("conflict", facet(t).create({ name: `${name}-2`, subnets: [{ subnet: "127.1.0.0/16" }] }));
      for (const wrong of [
        { name: "" },
        { name: "a b" },
        { name: "../x" },
        { subnets: [{ subnet: "10.77.0.0" }] },
        { subnets: [{ subnet: "10.77.250.0/24", gateway: "10.78.0.1" }] },
        { subnets: [{ subnet: "10.77.250.0/24", ipRange: "10.78.0.0/25" }] },
        { subnets: [{ subnet: "10.77.250.0/24" }, { subnet: "10.77.251.0/24" }] },
        { subnets: [{ subnet: "fd77::/64" }], enableIpv6: false },
        { options: { "com.docker.network.driver.mtu": "much" } },
      ]) {
        await rejectsWith("invalid_spec", facet(t).create({ name: `${name}-3`, ...wrong }));
      }
      assert.deepEqual(
        (await facet(t).list()).filter((network) => network.name.startsWith(`${name}-`)),
        [],
      );
    },
  },
  {
    name: "an unknown network is not found, whatever is asked of it",
    needs: ["networks"],
    run: async (t) => {
      const id = await t.create({ networkMode: "bridge" });
      const name = "no-such-network";
      const networks = facet(t);
      const calls = [() => networks.inspect(name), () => networks.remove(name), () => networks.connect(name, id), () => networks.disconnect(name, id)];
      for (const call of calls) {
        const error = await rejectsWith("not_found", call());
        assert.ok(error.message.includes(name), error.message);
      }
      await rejectsWith("not_found", t.runtime.createContainer(t.newId(), t.spec({ networkMode: `bridge:${name}` })));
      await rejectsWith("not_found", facet(t).connect("bridge", t.newId()));
    },
  },
  {
    name: "a network with a running container stays, and tells its address; after the stop it can go",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const name = await t.network();
      const id = await t.service({ networkMode: { mode: "bridge", name } });
      const seen = await attachment(t, id, name);
      const { containers, id: networkId } = await facet(t).inspect(name);
      const { hexId } = await t.runtime.inspectDetailed(id);
      assert.deepEqual(
        containers.map((one) => [one.hexId, one.ipv4, one.macAddress]),
        [[hexId, `${seen?.ipv4}/${seen?.prefix}`, seen?.macAddress]],
      );
      assert.equal(seen?.networkId, networkId);
      assert.equal(seen?.ipv4, await t.runtime.getContainerIp(id));
      await rejectsWith("conflict", facet(t).remove(name));
      await t.runtime.stopContainer(id);
      assert.deepEqual((await facet(t).inspect(name)).containers, []);
      await facet(t).remove(name);
      await rejectsWith("not_found", facet(t).inspect(name));
    },
  },
  {
    name: "fixed addresses and a mac address are had, and refused where they cannot be",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const { subnet, address } = newSubnet();
      const name = await t.network({ subnets: [{ subnet }] });
      const spec = { networkMode: { mode: "bridge" as const, name }, networks: [{ name, ipv4: address(77), macAddress: "02:42:AC:00:00:07" }] };
      const id = await t.service(spec);
      const seen = await attachment(t, id, name);
      assert.deepEqual([seen?.ipv4, seen?.macAddress, seen?.gateway, seen?.prefix], [address(77), "02:42:ac:00:00:07", address(1), 24]);
      const second = await t.create({ ...spec, argv: programs.forever() });
      const error = await rejectsWith("start_failed", t.runtime.startContainer(second));
      assert.match(error.message, /already in use/);
      for (const wrong of [
        { ipv4: "10.99.0.1" },
        { ipv4: address(0) },
        { ipv4: address(255) },
        { ipv4: "x" },
        { ipv6: "fd77:9::1" },
        { macAddress: "01:00:00:00:00:00" },
      ]) {
        await rejectsWith("invalid_spec", t.runtime.createContainer(t.newId(), t.spec({ networks: [{ name, ...wrong }] })));
      }
    },
  },
  {
    name: "addresses come from the ip range, and a network that is full says so",
    needs: ["networks"],
    run: async (t) => {
      const { subnet, address } = newSubnet();
      const name = await t.network({ subnets: [{ subnet, ipRange: `${address(8)}/31` }] });
      const ids = [await t.service({ networks: [name] }), await t.service({ networks: [name] })];
      const addresses = await Promise.all(ids.map((id) => t.runtime.getContainerIp(id)));
      assert.deepEqual(addresses.sort(), [address(8), address(9)].sort());
      const third = await t.create({ networks: [name], argv: programs.forever() });
      const error = await rejectsWith("start_failed", t.runtime.startContainer(third));
      assert.match(error.message, /no (?:free|available(?: IPv4)?) address/);
      await t.runtime.removeContainer(ids[0] ?? t.newId());
      await t.runtime.startContainer(third);
    },
  },
  {
    name: "a network with IPv6 gives addresses of both families",
    needs: ["networks", "ipv6", "inspectDetailed"],
    run: async (t) => {
      const [four, six] = [newSubnet(), newSubnet6()];
      const name = await t.network({ subnets: [{ subnet: four.subnet }, { subnet: six.subnet }] });
      const details = await facet(t).inspect(name);
      assert.equal(details.enableIpv6, true);
      assert.deepEqual(
        details.subnets.map(({ subnet, gateway }) => [subnet, gateway]),
        [
          [four.subnet, four.address(1)],
          [six.subnet, six.address("1")],
        ],
      );
      const any = await attachment(t, await t.service({ networks: [name] }), name);
      assert.match(any?.ipv6 ?? "", /^fd77:/);
      const fixed = await attachment(t, await t.service({ networks: [{ name, ipv6: six.address("beef") }] }), name);
      assert.equal(fixed?.ipv6, six.address("beef"));
      const auto = await facet(t).inspect(await t.network({ enableIpv6: true }));
      assert.match(auto.subnets[1]?.subnet ?? "", /^fd.*::\/64$/);
    },
  },
  {
    name: "a port is published in both families of a container that has both, and on IPv6 only where it has that",
    needs: ["networks", "ipv6", "portMappingsContainer"],
    run: async (t) => {
      const networks = [await t.network({ enableIpv6: true })];
      const both = await t.runtime.portMappingsContainer(await t.service({ networks, portMappings: [{ containerPort: 80 }] }));
      assert.deepEqual(
        both.map(({ hostIp, hostPort }) => [hostIp, hostPort]),
        [
          ["0.0.0.0", both[0]?.hostPort],
          ["::", both[0]?.hostPort],
        ],
      );
      const six = await t.runtime.portMappingsContainer(await t.service({ networks, portMappings: [{ containerPort: 80, hostIp: "::" }] }));
      assert.deepEqual(
        six.map(({ hostIp }) => hostIp),
        ["::"],
      );
      const id = await t.create({ networkMode: "bridge", argv: programs.forever(), portMappings: [{ containerPort: 80, hostIp: "::" }] });
      const error = await rejectsWith("start_failed", t.runtime.startContainer(id));
      assert.match(error.message, /no IPv6/);
    },
  },
  {
    name: "a container is in several networks from its start on; the first is its main one",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const [a, b] = [await t.network(), await t.network()];
      const id = await t.service({ networkMode: { mode: "bridge", name: a }, networks: [{ name: b, aliases: ["second"] }] });
      const { networks, hexId = "" } = await t.runtime.inspectDetailed(id);
      assert.deepEqual(
        networks.map(({ network }) => network),
        [a, b],
      );
      assert.equal(new Set(networks.map(({ ipv4 }) => ipv4)).size, 2);
      assert.deepEqual((await attachment(t, id, b))?.aliases, ["second", hexId.slice(0, 12)]);
      assert.deepEqual((await facet(t).inspect(b)).containers[0]?.aliases, ["second"]);
      assert.equal((await t.runtime.inspectDetailed(await t.create({ networks: [b, a] }))).networks[0]?.network, b);
    },
  },
  {
    name: "a network may be named by its id in a spec",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const [a, b] = [await t.network(), await t.network()];
      const [idOfA, idOfB] = [(await facet(t).inspect(a)).id, (await facet(t).inspect(b)).id];
      const id = await t.service({ networkMode: { mode: "bridge", name: idOfA }, networks: [{ name: idOfB.slice(0, 12) }] });
      assert.deepEqual(names((await t.runtime.inspectDetailed(id)).networks), [a, b].sort());
    },
  },
  {
    name: "networks that do not fit the mode, or are named twice, are an invalid spec",
    needs: ["networks"],
    run: async (t) => {
      const name = await t.network();
      for (const wrong of [
        { networkMode: "host", networks: [name] },
        { networkMode: "none", networks: [name] },
        { networks: [name, name] },
        { networks: ["host"] },
        { networkMode: "bridge", networks: [{ name: "bridge", aliases: ["x"] }] },
        { networkMode: "bridge", networks: [{ name, aliases: ["no spaces please"] }] },
      ]) {
        await rejectsWith("invalid_spec", t.runtime.createContainer(t.newId(), t.spec({ networkMode: undefined, ...wrong })));
      }
    },
  },
  {
    name: "connect and disconnect while running change what inspect shows",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const { subnet, address } = newSubnet();
      const name = await t.network({ subnets: [{ subnet }] });
      const id = await t.service({ networkMode: "bridge" });
      await facet(t).connect(name, id, { ipv4: address(9), aliases: ["late"], macAddress: "02:42:00:00:00:09" });
      const seen = await attachment(t, id, name);
      assert.deepEqual([seen?.ipv4, seen?.macAddress, seen?.aliases[0]], [address(9), "02:42:00:00:00:09", "late"]);
      assert.deepEqual(names((await t.runtime.inspectDetailed(id)).networks), ["bridge", name].sort());
      await rejectsWith("conflict", facet(t).connect(name, id));
      await facet(t).disconnect(name, id);
      assert.deepEqual(names((await t.runtime.inspectDetailed(id)).networks), ["bridge"]);
      assert.deepEqual((await facet(t).inspect(name)).containers, []);
      await rejectsWith("conflict", facet(t).disconnect(name, id));
      await facet(t).disconnect("bridge", id);
      assert.deepEqual((await t.runtime.inspectDetailed(id)).networks, []);
      assert.equal(await t.runtime.getContainerIp(id), undefined);
    },
  },
  {
    name: "connect and disconnect of a container that does not run count from its next start",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const name = await t.network();
      const id = await t.create({ networkMode: "bridge", argv: programs.forever() });
      await facet(t).connect(name, id);
      await facet(t).disconnect("bridge", id);
      assert.equal((await facet(t).inspect(name)).containers.length, 0);
      await t.runtime.startContainer(id);
      const { networks, ipv4 } = await t.runtime.inspectDetailed(id);
      assert.deepEqual(names(networks), [name]);
      assert.equal(networks[0]?.ipv4, ipv4);
      await t.runtime.stopContainer(id, 0);
      await t.runtime.startContainer(id);
      assert.deepEqual(names((await t.runtime.inspectDetailed(id)).networks), [name]);
    },
  },
  {
    name: "what shares a network, or has none, cannot be connected; nor anything to host or none",
    needs: ["networks"],
    run: async (t) => {
      const name = await t.network();
      const bridged = await t.create({ networkMode: "bridge" });
      for (const id of [await t.create({ networkMode: "host" }), await t.create({ networkMode: "none" })])
        await rejectsWith("conflict", facet(t).connect(name, id));
      for (const network of ["host", "none"]) {
        await rejectsWith("conflict", facet(t).connect(network, bridged));
        await rejectsWith("conflict", facet(t).disconnect(network, bridged));
      }
      await rejectsWith("invalid_spec", facet(t).connect(name, bridged, { ipv4: "203.0.113.1" }));
      await rejectsWith("invalid_spec", facet(t).connect(name, bridged, { aliases: ["a b"] }));
    },
  },
  {
    name: "an address asked for that somebody has refuses the connect and changes nothing",
    needs: ["networks", "inspectDetailed"],
    run: async (t) => {
      const { subnet, address } = newSubnet();
      const name = await t.network({ subnets: [{ subnet }] });
      await t.service({ networks: [{ name, ipv4: address(5) }] });
      const id = await t.service({ networkMode: "bridge" });
      await rejectsWith("start_failed", facet(t).connect(name, id, { ipv4: address(5) }));
      assert.deepEqual(names((await t.runtime.inspectDetailed(id)).networks), ["bridge"]);
      await facet(t).connect(name, id);
    },
  },
  {
    name: "prune removes networks no container is in, by label and age",
    needs: ["networks"],
    run: async (t) => {
      const label = `prune-${t.newId().service}`;
      const labels = { [label]: "yes" };
      const [used, kept, unused] = [await t.network({ labels }), await t.network({ labels: { ...labels, keep: "1" } }), await t.network({ labels })];
      await t.create({ networks: [used] });
      assert.deepEqual((await facet(t).prune({ labels: [label], until: new Date(Date.now() - 3_600_000) })).deleted, []);
      assert.deepEqual((await facet(t).prune({ labels: [label, "!keep"] })).deleted, [unused]);
      const left = (await facet(t).list()).map((network) => network.name);
      assert.ok(left.includes(used) && left.includes(kept) && !left.includes(unused));
    },
  },
  {
    name: "making, joining, leaving and removing a network are events, also at start and stop of a container",
    needs: ["networks", "events"],
    run: async (t) => {
      const since = new Date();
      const name = await t.network();
      const { id: networkId } = await facet(t).inspect(name);
      const id = await t.service({ networks: [name] });
      await facet(t).disconnect(name, id);
      await facet(t).connect(name, id);
      await t.runtime.stopContainer(id);
      await facet(t).remove(name);
      const { hexId = "" } = await t.runtime.inspectDetailed(id);
      const seen: string[] = [];
      for await (const event of (await t.runtime.extras?.events?.({ since, until: new Date() })) ?? []) {
        if (event.type !== "network" || event.actor.id !== networkId) continue;
        assert.equal(event.actor.attributes["name"], name);
        assert.equal(event.actor.attributes["container"], ["create", "destroy"].includes(event.action) ? undefined : hexId);
        seen.push(event.action);
      }
      assert.deepEqual(seen, ["create", "connect", "disconnect", "connect", "disconnect", "destroy"]);
    },
  },
  {
    name: "in a network of one's own everybody is found by name, alias, short id and host name, in any case of letters",
    needs: ["networks", "name-resolution", "kernel", "inspectDetailed"],
    run: async (t) => {
      const network = await t.network();
      const target = await t.service({ networks: [{ name: network, aliases: ["db", "Primary.db"] }], hostname: "Box-7" });
      const { name = "", hexId = "", ipv4 = "" } = await t.runtime.inspectDetailed(target);
      const asker = await t.service({ networks: [network] });
      for (const known of [name, name.toUpperCase(), "db", "DB", "primary.db", hexId.slice(0, 12), "box-7"])
        assert.equal(await resolved(t, asker, known), ipv4, known);
      assert.equal(await resolved(t, asker, "nobody"), undefined);
      assert.equal(await resolved(t, await t.service({ networks: [await t.network()] }), "db"), undefined);
      await t.runtime.removeContainer(target);
      await eventually("the name is forgotten", async () => (await resolved(t, asker, "db")) === undefined);
    },
  },
  {
    name: "names follow connect, disconnect and rename of a running container, and two with one alias are both found",
    needs: ["networks", "name-resolution", "kernel", "inspectDetailed", "renameContainer"],
    run: async (t) => {
      const network = await t.network();
      const asker = await t.service({ networks: [network] });
      const target = await t.service({ networkMode: "bridge" });
      await facet(t).connect(network, target, { aliases: ["late"] });
      const address = (await attachment(t, target, network))?.ipv4;
      assert.equal(await resolved(t, asker, "late"), address);
      const newName = `renamed-${t.newId().service}`;
      await t.runtime.renameContainer(target, newName);
      assert.equal(await resolved(t, asker, newName), address);
      assert.equal(await resolved(t, target, (await t.runtime.inspectDetailed(asker)).name ?? ""), await t.runtime.getContainerIp(asker), "the newcomer asks");
      const twin = await t.service({ networks: [{ name: network, aliases: ["late"] }] });
      const { stdout } = await t.runtime.exec(asker, programs.shell("nslookup late"));
      for (const one of [address, await t.runtime.getContainerIp(twin)]) assert.ok(stdout.includes(`${one}\n`), stdout);
      await t.runtime.removeContainer(twin);
      await facet(t).disconnect(network, target);
      assert.equal(await resolved(t, asker, "late"), undefined);
      assert.equal(
        await t.shell("cat /etc/resolv.conf", { networkMode: "bridge" }),
        (await t.runtime.exec(target, ["cat", "/etc/resolv.conf"])).stdout.trimEnd(),
      );
    },
  },
  {
    name: "a container that joins a network while it runs reaches it at once, by both families, and no longer after it left",
    needs: ["networks", "ipv6", "kernel", "inspectDetailed"],
    run: async (t) => {
      const network = await t.network({ enableIpv6: true });
      const target = await t.service({ networks: [network] });
      const id = await t.service({ networkMode: "bridge" });
      const ping = async (address: string | undefined): Promise<number> => (await t.runtime.exec(id, ["ping", "-c", "1", "-W", "2", address ?? ""])).exitCode;
      const seen = await attachment(t, target, network);
      const route = async (): Promise<string> => (await t.runtime.exec(id, programs.shell("ip route | grep default"))).stdout;
      const before = await route();
      await facet(t).connect(network, id);
      assert.deepEqual([await ping(seen?.ipv4), await ping(seen?.ipv6)], [0, 0]);
      assert.equal(await route(), before, "the way out stays where it was");
      const own = await attachment(t, id, network);
      assert.match((await t.runtime.exec(id, programs.shell("cat /etc/hosts"))).stdout, new RegExp(`^${own?.ipv4}\\s`, "m"));
      await facet(t).disconnect("bridge", id);
      assert.ok((await route()).includes(own?.gateway ?? "?"), "the network that is left becomes the way out");
      await facet(t).disconnect(network, id);
      assert.notEqual(await ping(seen?.ipv4), 0);
      assert.equal((await t.runtime.exec(id, programs.shell("ls /sys/class/net"))).stdout, "lo\n");
      assert.doesNotMatch((await t.runtime.exec(id, programs.shell("cat /etc/hosts"))).stdout, new RegExp(`^${own?.ipv4}\\s`, "m"));
    },
  },
  {
    name: "published ports follow the way out to another network, and serve on IPv6 too",
    needs: ["networks", "ipv6", "kernel", "host-network", "portMappingsContainer"],
    run: async (t) => {
      const [first, second] = [await t.network(), await t.network({ enableIpv6: true })];
      const argv = programs.shell("mkdir -p /www && echo hello > /www/index.html && echo ready && exec httpd -f -p 80 -h /www");
      const id = await t.start({ networks: [first], argv, portMappings: [{ containerPort: 80 }] });
      await t.logged(id, "ready");
      const [{ hostPort = 0 } = {}] = await t.runtime.portMappingsContainer(id);
      await answers("127.0.0.1", hostPort);
      await facet(t).connect(second, id);
      await facet(t).disconnect(first, id);
      assert.equal((await t.runtime.portMappingsContainer(id))[0]?.hostPort, hostPort);
      await answers("127.0.0.1", hostPort);
      await t.runtime.stopContainer(id, 0);
      await t.runtime.startContainer(id);
      const mappings = await t.runtime.portMappingsContainer(id);
      assert.deepEqual(
        mappings.map(({ hostIp }) => hostIp),
        ["0.0.0.0", "::"],
      );
      assert.equal(mappings[0]?.hostPort, mappings[1]?.hostPort);
      const { gateway } = (await facet(t).inspect(second)).subnets[1] ?? {};
      await answers(gateway ?? "", mappings[1]?.hostPort ?? 0);
    },
  },
  {
    name: "networks made by one are there for another who opens the state",
    needs: ["networks", "reopen"],
    run: async (t) => {
      const name = await t.network({ labels: { a: "b" } });
      const id = await t.service({ networks: [name] });
      const other = await t.reopen();
      assert.deepEqual(await other.extras?.networks?.inspect(name), await facet(t).inspect(name));
      await other.extras?.networks?.disconnect(name, id);
      assert.deepEqual((await facet(t).inspect(name)).containers, []);
    },
  },
  {
    name: "an aborted call on networks does nothing",
    needs: ["networks"],
    run: async (t) => {
      const { signal, reason, abort } = aborter();
      abort();
      const name = "never-made";
      await rejectsBecause(reason, facet(t).create({ name }, { signal }));
      await rejectsBecause(reason, facet(t).prune({ signal }));
      await rejectsWith("not_found", facet(t).inspect(name));
    },
  },
];
