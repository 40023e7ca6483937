/**
 * Configuration files of aardvark-dns, one for each network, computed from the records. Their first line says where to listen;
 * then one line for each container: id, IPv4, IPv6, names and, if it has its own, the servers that are asked for other names.
 */
import { hash } from "node:crypto";
import { defaultNetwork } from "./names.ts";
import { membershipsOf } from "./members.ts";
import { allLeases, allNetworks, type Lease } from "./records.ts";
import type { NetworkContext } from "./context.ts";
import type { Network } from "./types.ts";

/** What the records of this room do not say about a container. */
export interface ContainerNames {
  /** 64 hex digits. */
  readonly hexId: string;
  /** In every network: its name, its short id, its host name. */
  readonly names: readonly string[];
  /** Servers of its own for names the networks do not know. */
  readonly dns: readonly string[];
}

export interface NameServerConfig {
  /** File name → text. */
  readonly files: ReadonlyMap<string, string>;
  /** File name → where the server listens for it. */
  readonly addresses: ReadonlyMap<string, string>;
  /** A name that resolves once the server has read exactly this. */
  readonly mark: string;
}

/** Sending there fails at once: a container without a way out gets no answers about the world outside either. */
const nowhere = "255.255.255.255";

export function nameServerConfig(context: NetworkContext, describe: (key: string) => ContainerNames | undefined): NameServerConfig {
  const networks = new Map(allNetworks(context.db).map((network) => [network.name, network]));
  const leases = allLeases(context.db).filter(({ network }) => network !== defaultNetwork);
  const isInternal = ({ key }: Lease): boolean => leasesOf(allLeases(context.db), key).every(({ network }) => networks.get(network)?.internal === true);
  const lines = new Map<Network, string[]>();
  for (const lease of leases) {
    const [network, container] = [networks.get(lease.network), describe(lease.key)];
    if (network === undefined || container === undefined) continue;
    const aliases = membershipsOf(context.db, lease.key).find((member) => member.network === lease.network)?.aliases ?? [];
    const dns = isInternal(lease) ? [nowhere] : container.dns;
    const names = [...new Set([...container.names, ...aliases].map((name) => name.toLowerCase()))];
    lines.set(network, [...(lines.get(network) ?? []), [container.hexId, lease.address, lease.address6 ?? "", names.join(","), ...dnsColumn(dns)].join(" ")]);
  }
  const mark = `berth-${hash("sha256", JSON.stringify([...lines].map(([network, all]) => [network.id, listenLine(network), all]))).slice(0, 16)}`;
  const files = new Map([...lines].map(([network, all]) => [fileName(network), fileText(network, mark, all)]));
  return { files, addresses: new Map([...lines.keys()].map((network) => [fileName(network), network.gateway])), mark };
}

function fileName({ id }: Network): string {
  return id.slice(0, 12);
}

function leasesOf(leases: readonly Lease[], key: string): Lease[] {
  return leases.filter((lease) => lease.key === key);
}

function dnsColumn(dns: readonly string[]): string[] {
  return dns.length === 0 ? [] : [dns.join(",")];
}

function listenLine({ gateway, ipv6 }: Network): string {
  return ipv6 === undefined ? gateway : `${gateway},${ipv6.gateway}`;
}

/** The host's own line carries the mark. */
function fileText(network: Network, mark: string, lines: readonly string[]): string {
  const host = ["host", network.gateway, network.ipv6?.gateway ?? "", mark].join(" ");
  return `${[listenLine(network), host, ...lines].join("\n")}\n`;
}
