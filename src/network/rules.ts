/** Keeps the kernel's nftables table in step with the records. */
import { spawnSync } from "node:child_process";
import { BerthError } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import { childEnvironment } from "../internal/spawn.ts";
import { forgetUdpFlows } from "./conntrack.ts";
import { targetOf } from "./ports.ts";
import type { NetworkContext } from "./context.ts";
import { allNetworks, allPorts, type PublishedPort } from "./records.ts";
import { atomically } from "./statements.ts";
import { formatSet, rulesetText } from "./ruleset.ts";
import { addElements, hasSet, networkElements, openNetfilterSocket, portElement, removeElements } from "./set-elements.ts";
import type { Endpoint, Network } from "./types.ts";

/**
 * Makes the table when it is missing: at first use, after a reboot, after somebody flushed the ruleset. The database's lock
 * keeps two processes from replacing each other's table. Throws `network`.
 */
export function ensureRules(context: NetworkContext): void {
  using socket = openNetfilterSocket();
  const present = (): boolean => hasSet(socket, context.names.table, formatSet);
  if (present()) return;
  atomically(context.db, () => {
    if (!present()) loadRules(context);
  });
}

/** Replaces the table by what the records say, in one step. */
export function reloadRules(context: NetworkContext): void {
  atomically(context.db, () => loadRules(context));
}

export function addNetworkRules(context: NetworkContext, network: Network): void {
  using socket = openNetfilterSocket();
  try {
    addElements(socket, context.names.table, networkElements(network));
  } catch {
    // Something else in its place, such as the subnet of a state directory that was deleted: the records decide.
    reloadRules(context);
  }
}

/** Published ports of an endpoint with the address they lead to. */
export function bindingsOf({ key, ipv4, ipv6, ports }: Endpoint): PublishedPort[] {
  return ports.map((port) => ({ ...port, key, address: targetOf(port, { ipv4, ipv6: ipv6?.address }) }));
}

export function publish({ names }: NetworkContext, ports: readonly PublishedPort[]): void {
  if (ports.length === 0) return;
  using socket = openNetfilterSocket();
  const elements = ports.map((port) => portElement(port, port.address));
  try {
    addElements(socket, names.table, elements);
  } catch (error) {
    // The port led elsewhere: what a crash left behind, since the records say it is ours.
    if (errnoCode(error) !== "EBUSY" && errnoCode(error) !== "EEXIST") throw error;
    removeElements(socket, names.table, elements);
    addElements(socket, names.table, elements);
  }
  forgetUdpFlows(ports);
}

export function unpublish({ names }: NetworkContext, ports: readonly PublishedPort[]): void {
  if (ports.length === 0) return;
  using socket = openNetfilterSocket();
  removeElements(
    socket,
    names.table,
    ports.map((port) => portElement(port, port.address)),
  );
  forgetUdpFlows(ports);
}

function loadRules({ db, names }: NetworkContext): void {
  const script = rulesetText(names.table, { networks: allNetworks(db), ports: allPorts(db) });
  const done = spawnSync("nft", ["-f", "-"], { input: script, env: childEnvironment, encoding: "utf8" });
  if (done.error !== undefined) {
    throw new BerthError("network", "cannot run nft, which networks need; install it with: apt-get install nftables", { cause: done.error });
  }
  if (done.status !== 0) throw new BerthError("network", `nft refused the rules of berth: ${done.stderr.trim().slice(0, 500)}`);
}
