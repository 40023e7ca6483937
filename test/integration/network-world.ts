/** Namespaces that stand in for containers and for another machine, and small servers inside them. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { networkSchema } from "../../src/network/records.ts";
import { type NetworkStack, openNetworkStack } from "../../src/network/stack.ts";
import type { Endpoint } from "../../src/network/types.ts";
import type { PortMapping } from "../../src/spec/service-spec.ts";
import { type Database, openDatabase } from "../../src/state/database.ts";

/** Answers on TCP and UDP with its name and the address it saw. */
const serverCode = `
const [name, port, host] = process.argv.slice(1);
const tcp = require("node:net").createServer((socket) => socket.on("error", () => {}).end(name + " " + socket.remoteAddress));
const udp = require("node:dgram").createSocket(host === "::" ? "udp6" : "udp4", (_, peer) => udp.send(name + " " + peer.address, peer.port, peer.address));
tcp.listen(Number(port), host, () => udp.bind(Number(port), host, () => console.log("ready")));
`;

/** Prints the answer, or nothing when there is none. */
const clientCode = `
const [protocol, host, port, patience, from] = process.argv.slice(1);
const done = (text) => { process.stdout.write(text); process.exit(0); };
setTimeout(() => done(""), Number(patience));
if (protocol === "tcp") {
  const socket = require("node:net").connect({ host, port: Number(port) });
  socket.on("data", (data) => done(String(data))).on("error", () => done(""));
} else {
  const socket = require("node:dgram").createSocket(host.includes(":") ? "udp6" : "udp4", (data) => done(String(data)));
  const ask = () => socket.send("hello", Number(port), host);
  socket.on("error", () => done(""));
  socket.bind(Number(from), () => { ask(); setInterval(ask, 200).unref(); });
}
`;

export const answerMs = 8000;
/** How long a test waits for an answer that must not come. */
export const silenceMs = 700;

export interface World {
  readonly db: Database;
  readonly stack: NetworkStack;
  readonly uuid: string;
  readonly databasePath: string;
  /** A process in a network namespace of its own. */
  container(): Promise<number>;
  /** Starts the server in a container; `name` begins its answers. `::` for both families. */
  serve(pid: number, name: string, port: number, host?: "0.0.0.0" | "::"): Promise<void>;
  end(pid: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "berth-network-"));
  const databasePath = join(directory, "state.db");
  const db = await openDatabase(databasePath, [networkSchema]);
  const uuid = randomUUID();
  const stack = openNetworkStack({ db, uuid, defaultRoot: false });
  const children = new Map<number, ChildProcess>();
  const keep = (child: ChildProcess): number => {
    assert.ok(child.pid !== undefined);
    children.set(child.pid, child);
    return child.pid;
  };
  const end = async (pid: number): Promise<void> => {
    const child = children.get(pid);
    children.delete(pid);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  return {
    db,
    stack,
    uuid,
    databasePath,
    end,
    container: async () => {
      // The output comes from inside the new namespace, so nobody has to guess when it is there.
      const child = spawn("unshare", ["-n", "sh", "-c", "echo ready; exec sleep 1000"], { stdio: ["ignore", "pipe", "inherit"] });
      await firstOutput(child);
      return keep(child);
    },
    serve: async (pid, name, port, host = "0.0.0.0") => {
      const child = inside(pid, [process.execPath, "-e", serverCode, name, String(port), host]);
      await firstOutput(child);
      keep(child);
    },
    [Symbol.asyncDispose]: async () => {
      for (const pid of [...children.keys()]) await end(pid);
      stack.detachLeftovers(new Set());
      for (const { name } of stack.listNetworks()) if (name !== "bridge") stack.removeNetwork(name);
      stack.removeIdle();
      db.close();
      rmSync(directory, { recursive: true });
    },
  };
}

/** A lease in one network. */
export function allocateOne(
  stack: NetworkStack,
  key: string,
  o: { readonly network: string; readonly ports: readonly PortMapping[]; readonly requestedIp?: string | undefined },
): Endpoint {
  const [endpoint] = stack.allocate(key, { members: [{ network: o.network, aliases: [], ipv4: o.requestedIp }], ports: o.ports });
  assert.ok(endpoint !== undefined);
  return endpoint;
}

/** What a client in that namespace (`undefined`: the host's) gets from the server, empty when it gets nothing. */
export async function ask(
  pid: number | undefined,
  protocol: "tcp" | "udp",
  host: string,
  port: number,
  o: { readonly patienceMs?: number; readonly from?: number } = {},
): Promise<string> {
  const child = inside(pid, [process.execPath, "-e", clientCode, protocol, host, String(port), String(o.patienceMs ?? answerMs), String(o.from ?? 0)]);
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (part: string) => (text += part));
  await new Promise((resolve) => child.once("close", resolve));
  return text;
}

/** A namespace that is routed through this host like another machine; its address and the host's towards it. */
export async function otherMachine(world: World): Promise<{
  readonly pid: number;
  readonly address: string;
  readonly hostAddress: string;
  readonly address6: string;
  readonly hostAddress6: string;
  readonly close: () => void;
}> {
  const pid = await world.container();
  const link = `bt${pid}`;
  // One /30 of the benchmarking range for each process, so that tests beside each other do not meet.
  const base = `198.18.${(pid >> 6) & 255}.`;
  const [hostAddress6, address6] = [`fd98:${(pid & 0xffff).toString(16)}::1`, `fd98:${(pid & 0xffff).toString(16)}::2`];
  const [hostAddress, address] = [`${base}${((pid & 63) << 2) + 1}`, `${base}${((pid & 63) << 2) + 2}`];
  command("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  command("ip", "addr", "add", `${hostAddress}/30`, "dev", link);
  command("ip", "link", "set", link, "up");
  command("nsenter", "-t", String(pid), "-n", "ip", "addr", "add", `${address}/30`, "dev", "eth0");
  command("nsenter", "-t", String(pid), "-n", "ip", "link", "set", "eth0", "up");
  command("nsenter", "-t", String(pid), "-n", "ip", "route", "add", "default", "via", hostAddress);
  command("ip", "-6", "addr", "add", `${hostAddress6}/64`, "dev", link, "nodad");
  command("nsenter", "-t", String(pid), "-n", "ip", "-6", "addr", "add", `${address6}/64`, "dev", "eth0", "nodad");
  command("nsenter", "-t", String(pid), "-n", "ip", "-6", "route", "add", "default", "via", hostAddress6);
  return { pid, address, hostAddress, address6, hostAddress6, close: () => command("ip", "link", "del", link) };
}

export function command(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}

/** Interfaces and nftables text of this host that carry the names of a world. */
export function tracesOf(world: World): { readonly links: string[]; readonly rules: string } {
  const bridges = world.stack.listNetworks().map(({ bridge }) => bridge);
  const listed: { ifname: string; master?: string }[] = JSON.parse(command("ip", "-j", "link"));
  const links = listed.filter(({ ifname, master }) => bridges.includes(ifname) || bridges.includes(master ?? "")).map(({ ifname }) => ifname);
  return {
    links: links.sort(),
    rules: command("nft", "list", "tables")
      .split("\n")
      .filter((line) => line.endsWith(tableOf(bridges)))
      .join(),
  };
}

export function tableOf(bridges: readonly string[]): string {
  const suffix = /^berth-(.*)$/.exec(bridges.find((bridge) => bridge.startsWith("berth-")) ?? "")?.[1];
  return `berth_${suffix}`;
}

export function namespaceOf(pid: number): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}

function inside(pid: number | undefined, argv: readonly string[]): ChildProcess {
  const [program = "", ...args] = pid === undefined ? argv : ["nsenter", "-t", String(pid), "-n", ...argv];
  return spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`ended early with ${code}`)));
  });
}
