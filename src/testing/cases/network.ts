/** Methods 14 and 44 and the fields of contract 1.3.2. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { readlinkSync } from "node:fs";
import { connect } from "node:net";
import { hostname } from "node:os";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { eventually, rejectsWith } from "./expect.ts";

/** The body of what a server answers; `get <host> <port>` in a shell text, asking until there is an answer. */
const get = "get() { for i in 1 2 3 4 5 6 7 8 9 10; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 $1 $2 | tail -1 | grep . && break; sleep 0.1; done; };";

const ipv4 = /^\d+\.\d+\.\d+\.\d+$/;

/** Answers `hello` to whoever connects. */
const httpServer = programs.shell("mkdir -p /www && echo hello > /www/index.html && echo ready && exec httpd -f -p 80 -h /www");

async function fetchText(host: string, port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: 2000 }, () => socket.write("GET /index.html HTTP/1.0\r\n\r\n"));
    let seen = "";
    socket.on("data", (bytes) => (seen += bytes.toString()));
    socket.on("timeout", () => socket.destroy(new Error("timeout")));
    socket.on("error", reject);
    socket.on("close", () => resolve(seen));
  });
}

/** The program says ready before it listens; give it the moment between. */
async function answers(host: string, port: number): Promise<void> {
  await eventually(`${host}:${port} answers hello`, async () => (await fetchText(host, port).catch(() => "")).includes("hello"));
}

async function portOf(t: ContractContext, id: ContainerId): Promise<number> {
  const [mapping] = await t.runtime.portMappingsContainer(id);
  assert.ok(mapping?.hostPort !== undefined && mapping.hostPort > 0, JSON.stringify(mapping));
  return mapping.hostPort;
}

export const networkCases: readonly ContractCase[] = [
  {
    name: "on the default bridge a container has an address of its own while it runs",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const ids = [await t.service({ networkMode: "default" }), await t.service({ networkMode: "bridge" })];
      const [first, second] = await Promise.all(ids.map((id) => t.runtime.getContainerIp(id)));
      assert.match(first ?? "", ipv4);
      assert.match(second ?? "", ipv4);
      assert.notEqual(first, second);
      const details = await t.runtime.inspectDetailed(ids[0] ?? t.newId());
      assert.equal(details.ipv4, first);
      assert.deepEqual(
        details.networks.map(({ network, ipv4: address }) => [network, address]),
        [["bridge", first]],
      );
      for (const id of ids) await t.runtime.stopContainer(id);
      for (const id of ids) assert.equal(await t.runtime.getContainerIp(id), undefined);
    },
  },
  {
    name: "before its start a container has no address",
    needs: [],
    run: async (t) => assert.equal(await t.runtime.getContainerIp(await t.create({ networkMode: "bridge" })), undefined),
  },
  {
    name: "network none has no address and is named so",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const id = await t.service({ networkMode: "none" });
      assert.equal(await t.runtime.getContainerIp(id), undefined);
      assert.deepEqual(
        (await t.runtime.inspectDetailed(id)).networks.map(({ network, ipv4: address }) => [network, address]),
        [["none", undefined]],
      );
    },
  },
  {
    name: "host network is this host's and is named so",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const id = await t.service({ networkMode: "host" });
      assert.equal(await t.runtime.getContainerIp(id), "127.0.0.1");
      assert.deepEqual(
        (await t.runtime.inspectDetailed(id)).networks.map(({ network, ipv4: address }) => [network, address]),
        [["host", undefined]],
      );
    },
  },
  {
    name: "network container shares the other container's address",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const other = await t.service({ networkMode: "bridge" });
      const { hexId = "" } = await t.runtime.inspectDetailed(other);
      const id = await t.service({ networkMode: { mode: "container", id: hexId } });
      assert.equal(await t.runtime.getContainerIp(id), await t.runtime.getContainerIp(other));
    },
  },
  {
    name: "network container of one nobody knows is refused",
    needs: [],
    run: async (t) => {
      const started = (async () => {
        const id = await t.create({ networkMode: "container:no-such-container", argv: programs.forever() });
        await t.runtime.startContainer(id);
      })();
      await assert.rejects(started, (error: Error) => error.message.includes("no-such-container"));
    },
  },
  {
    name: "fifty addresses come and go and are not used up",
    needs: [],
    run: async (t) => {
      const id = await t.create({ networkMode: "bridge", argv: programs.exitWith(0) });
      for (let run = 0; run < 10; run++) {
        await t.runtime.startContainer(id);
        await t.runtime.waitContainer(id);
      }
      const ids = await Promise.all(Array.from({ length: 8 }, () => t.service({ networkMode: "bridge" })));
      const addresses = await Promise.all(ids.map((one) => t.runtime.getContainerIp(one)));
      assert.equal(new Set(addresses).size, 8);
    },
  },
  {
    name: "ports: an ephemeral one is filled in while running, and gone after",
    needs: ["portMappingsContainer", "inspectDetailed"],
    run: async (t) => {
      const id = await t.create({ networkMode: "bridge", argv: programs.forever(), portMappings: [{ containerPort: 80 }], stopGracePeriod: 1000 });
      assert.deepEqual(await t.runtime.portMappingsContainer(id), []);
      await t.runtime.startContainer(id);
      await t.logged(id, "ready");
      const [mapping, ...others] = await t.runtime.portMappingsContainer(id);
      assert.deepEqual(others, []);
      assert.deepEqual({ ...mapping, hostPort: 0 }, { containerPort: 80, protocol: "tcp", hostIp: "0.0.0.0", hostPort: 0 });
      assert.ok((mapping?.hostPort ?? 0) > 1023);
      assert.equal((await t.runtime.inspectDetailed(id)).ports[0]?.hostPort, mapping?.hostPort);
      await t.runtime.stopContainer(id);
      assert.deepEqual(await t.runtime.portMappingsContainer(id), []);
      assert.equal((await t.runtime.inspectDetailed(id)).ports[0]?.containerPort, 80);
    },
  },
  {
    name: "ports are listed by container port and protocol; endpoints and exposed ports are not published",
    needs: ["portMappingsContainer"],
    run: async (t) => {
      const portMappings = [
        { containerPort: 90, protocol: "udp" as const },
        { containerPort: 80, protocol: "udp" as const },
        { containerPort: 80, protocol: "tcp" as const, hostIp: "127.0.0.1" },
      ];
      const id = await t.service({ networkMode: "bridge", portMappings, expose: ["70"], endpoints: [{ name: "web", protocol: "http", port: 60 }] });
      const seen = (await t.runtime.portMappingsContainer(id)).map(({ containerPort, protocol, hostIp }) => `${containerPort}/${protocol} ${hostIp}`);
      assert.deepEqual(seen, ["80/tcp 127.0.0.1", "80/udp 0.0.0.0", "90/udp 0.0.0.0"]);
    },
  },
  {
    name: "a host port in use fails the start by name, and serves when it is free again",
    needs: ["portMappingsContainer"],
    run: async (t) => {
      const hostPort = await t.freePort();
      const spec = { networkMode: "bridge", portMappings: [{ hostPort, containerPort: 80 }], argv: programs.forever(), stopGracePeriod: 500 };
      const first = await t.service(spec);
      const second = await t.create(spec);
      const error = await rejectsWith("start_failed", t.runtime.startContainer(second));
      assert.match(error.message, /port is already allocated|address already in use/);
      assert.match(error.message, new RegExp(String(hostPort)));
      assert.equal((await t.runtime.containerState(second)).state, "failed");
      assert.equal(await t.runtime.getContainerIp(second), undefined);
      await t.runtime.stopContainer(first);
      await t.runtime.startContainer(second);
      assert.equal(await portOf(t, second), hostPort);
    },
  },
  {
    name: "of a range of host ports the first free one is taken",
    needs: ["portMappingsContainer"],
    run: async (t) => {
      const hostPort = await t.freePort();
      const range = { networkMode: "bridge", portMappings: [{ hostPort, hostPortEnd: hostPort + 1, containerPort: 80 }] };
      const [first, second] = [await t.service(range), await t.service(range)];
      assert.deepEqual([await portOf(t, first), await portOf(t, second)], [hostPort, hostPort + 1]);
      await rejectsWith("start_failed", t.runtime.startContainer(await t.create(range)));
    },
  },
  {
    name: "a published port is reached through 127.0.0.1 and through the container's address",
    needs: ["kernel", "host-network", "portMappingsContainer"],
    run: async (t) => {
      const id = await t.start({ networkMode: "bridge", argv: httpServer, portMappings: [{ containerPort: 80 }] });
      await answers((await t.runtime.getContainerIp(id)) ?? "", 80);
      await answers("127.0.0.1", await portOf(t, id));
    },
  },
  {
    name: "a port bound to 127.0.0.1 is reached there",
    needs: ["kernel", "host-network", "portMappingsContainer"],
    run: async (t) => {
      const hostPort = await t.freePort();
      await t.start({ networkMode: "bridge", argv: httpServer, portMappings: [{ hostPort, containerPort: 80, hostIp: "127.0.0.1" }] });
      await answers("127.0.0.1", hostPort);
    },
  },
  {
    name: "a published port serves again after a restart, and is closed after the stop",
    needs: ["kernel", "host-network", "portMappingsContainer"],
    run: async (t) => {
      const hostPort = await t.freePort();
      const id = await t.start({ networkMode: "bridge", argv: httpServer, portMappings: [{ hostPort, containerPort: 80 }] });
      for (const _run of [1, 2]) {
        await answers("127.0.0.1", hostPort);
        await t.runtime.stopContainer(id, 0);
        await assert.rejects(fetchText("127.0.0.1", hostPort));
        await t.runtime.startContainer(id);
      }
    },
  },
  {
    name: "a published UDP port is reached and the answer comes back",
    needs: ["kernel", "host-network", "portMappingsContainer"],
    run: async (t) => {
      const id = await t.service({ networkMode: "bridge", portMappings: [{ containerPort: 9000, protocol: "udp" }] });
      const server = echoInside((await t.runtime.getContainerPid(id)) ?? 0, 9000);
      t.defer(() => void server.kill("SIGKILL"));
      assert.equal(await askUdp(await portOf(t, id), "ping"), "got:ping");
    },
  },
  {
    name: "containers on the default bridge reach each other, the gateway and a published port",
    needs: ["kernel", "portMappingsContainer"],
    run: async (t) => {
      const server = await t.start({ networkMode: "bridge", argv: httpServer, portMappings: [{ containerPort: 80 }] });
      await t.logged(server, "ready");
      const address = await t.runtime.getContainerIp(server);
      const port = await portOf(t, server);
      const script = `${get} get ${address} 80; gateway=$(ip route | grep default | cut -d' ' -f3); ping -c 1 -W 2 $gateway >/dev/null && echo gateway; get $gateway ${port}`;
      assert.equal(await t.shell(script, { networkMode: "bridge" }), "hello\ngateway\nhello");
    },
  },
  {
    name: "network none has the loopback alone, and it is up",
    needs: ["kernel"],
    run: async (t) => assert.equal(await t.shell("ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 >/dev/null && echo up", { networkMode: "none" }), "lo\nup"),
  },
  {
    name: "host network is this host's namespace, network container the other container's",
    needs: ["kernel", "inspectDetailed"],
    run: async (t) => {
      assert.equal(await t.shell("readlink /proc/self/ns/net", { networkMode: "host" }), readlinkSync("/proc/self/ns/net"));
      assert.equal(await t.shell("readlink /proc/self/ns/net", { hostNetwork: true, networkMode: undefined }), readlinkSync("/proc/self/ns/net"));
      const other = await t.service({ networkMode: "bridge", hostname: "shared-name" });
      const { hexId } = await t.runtime.inspectDetailed(other);
      const seen = await t.shell("readlink /proc/self/ns/net; hostname; grep -c shared-name /etc/hosts", { networkMode: `container:${hexId}` });
      assert.equal(seen, `${(await t.runtime.exec(other, programs.shell("readlink /proc/self/ns/net"))).stdout}shared-name\n1`);
    },
  },
  {
    name: "resolvers and extra hosts are in the files, host-gateway is the gateway",
    needs: ["kernel"],
    run: async (t) => {
      const spec = {
        networkMode: "bridge",
        dns: ["192.0.2.53", "2001:db8::53"],
        extraHosts: ["box:192.0.2.7", "six:2001:db8::7", "host.example:host-gateway"],
      };
      const script =
        "grep nameserver /etc/resolv.conf | head -2; grep -E '(box|six)$' /etc/hosts | tr -s '\\t' ' '; grep host.example /etc/hosts | tr '\\t' ' ' | cut -d' ' -f1; ip route | grep default | cut -d' ' -f3";
      const [first, second, box, six, gateway, route] = (await t.shell(script, spec)).split("\n");
      assert.deepEqual([first, second], ["nameserver 192.0.2.53", "nameserver 2001:db8::53"]);
      assert.deepEqual([box, six], ["192.0.2.7 box", "2001:db8::7 six"]);
      assert.equal(gateway, route);
    },
  },
  {
    name: "search domains and options of the resolver replace the host's",
    needs: ["kernel"],
    run: async (t) => {
      const script = "grep ^search /etc/resolv.conf; grep ^options /etc/resolv.conf";
      const spec = { networkMode: "bridge", dnsSearch: ["one.example", "two.example"], dnsOptions: ["ndots:3", "rotate"] };
      assert.equal(await t.shell(script, spec), "search one.example two.example\noptions ndots:3 rotate");
      assert.equal(await t.shell("grep -c ^search /etc/resolv.conf || true", { networkMode: "bridge", dnsSearch: ["."] }), "0");
    },
  },
  {
    name: "a container may share this host's name",
    needs: ["kernel"],
    run: async (t) => {
      assert.equal(await t.shell("readlink /proc/self/ns/uts; hostname", { utsMode: "host" }), `${readlinkSync("/proc/self/ns/uts")}\n${hostname()}`);
      assert.notEqual(await t.shell("readlink /proc/self/ns/uts"), readlinkSync("/proc/self/ns/uts"));
    },
  },
  {
    name: "/etc/hosts, /etc/hostname and /etc/resolv.conf can be written and name the container itself",
    needs: ["kernel"],
    run: async (t) => {
      const said = await t.shell(
        "echo '192.0.2.9 added' >> /etc/hosts && grep -c added /etc/hosts; grep -c localhost /etc/hosts; ping -c 1 -W 1 $(hostname) >/dev/null && echo self",
        { networkMode: "bridge" },
      );
      assert.match(said, /^1\n[12]\nself$/);
    },
  },
  {
    name: "on a user-defined bridge containers find each other by name",
    needs: ["kernel", "networks", "name-resolution", "inspectDetailed"],
    run: async (t) => {
      const network = await t.network();
      const server = await t.start({ networkMode: { mode: "bridge", name: network }, argv: httpServer });
      await t.logged(server, "ready");
      const { name = "", networks } = await t.runtime.inspectDetailed(server);
      assert.equal(networks[0]?.network, network);
      assert.equal(await t.shell(`${get} get ${name} 80`, { networkMode: `bridge:${network}` }), "hello");
    },
  },
  {
    name: "bridges are isolated from each other",
    needs: ["kernel", "networks"],
    run: async (t) => {
      const server = await t.start({ networkMode: "bridge", argv: httpServer });
      await t.logged(server, "ready");
      const address = await t.runtime.getContainerIp(server);
      const other = { mode: "bridge" as const, name: await t.network() };
      assert.equal(await t.shell(`nc -w 1 ${address} 80 </dev/null 2>/dev/null && echo reached || echo isolated`, { networkMode: other }), "isolated");
    },
  },
  {
    name: "traffic of a bridge container is counted in its statistics",
    needs: ["kernel", "statsStream"],
    run: async (t) => {
      const id = await t.service({ networkMode: "bridge" });
      const received = async (): Promise<number> => {
        for await (const sample of await t.runtime.statsStream(id)) return sample.netRxBytes + sample.netTxBytes;
        return 0;
      };
      const before = await received();
      await t.runtime.exec(id, programs.shell("ping -c 3 -i 0.1 -W 1 -s 1000 $(ip route | grep default | cut -d' ' -f3)"));
      assert.ok((await received()) - before > 3000);
    },
  },
];

/** An echo server of this host's Node in the container's network: the image has no program that answers datagrams. */
function echoInside(pid: number, port: number): ChildProcess {
  const script = `const s = require("dgram").createSocket("udp4"); s.on("message", (m, from) => s.send("got:" + m, from.port, from.address)); s.bind(${port})`;
  return spawn("nsenter", [`--net=/proc/${pid}/ns/net`, process.execPath, "-e", script], { stdio: "ignore" });
}

function askUdp(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    // A datagram may come before the server listens: ask again until it answers.
    const send = setInterval(() => socket.send(text, port, "127.0.0.1"), 100);
    const give = setTimeout(() => done(() => reject(new Error("no answer"))), 5000);
    const done = (settle: () => void): void => {
      clearInterval(send);
      clearTimeout(give);
      socket.close();
      settle();
    };
    socket.once("message", (bytes) => done(() => resolve(bytes.toString())));
    socket.once("error", (error) => done(() => reject(error)));
  });
}
