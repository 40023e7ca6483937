/** `NetworkSettings` and `Ports` of inspect and list. */
import type { EndpointSettings } from "../../docker-api/endpoint-settings.ts";
import type { PortMap, PortBinding } from "../../docker-api/host-config.ts";
import type { PortSummary } from "../../docker-api/containers.ts";
import type { NetworkAttachmentDetail, PortMappingEntry } from "../../runtime/types.ts";

/** By the network's name. */
export function networksReport(networks: readonly NetworkAttachmentDetail[], hexId: string): Readonly<Record<string, EndpointSettings>> {
  return Object.fromEntries(networks.map((detail) => [detail.network, endpoint(detail, hexId)]));
}

function endpoint(detail: NetworkAttachmentDetail, hexId: string): EndpointSettings {
  const isConnected = detail.ipv4 !== undefined || detail.ipv6 !== undefined;
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: detail.aliases.length > 0 ? detail.aliases : null,
    MacAddress: detail.macAddress ?? "",
    DriverOpts: null,
    NetworkID: detail.networkId ?? "",
    EndpointID: isConnected ? endpointId(hexId, detail.network) : "",
    Gateway: detail.gateway ?? "",
    IPAddress: detail.ipv4 ?? "",
    IPPrefixLen: detail.ipv4 === undefined ? 0 : (detail.prefix ?? 0),
    IPv6Gateway: "",
    GlobalIPv6Address: detail.ipv6 ?? "",
    GlobalIPv6PrefixLen: detail.ipv6 === undefined ? 0 : 64,
    DNSNames: detail.aliases.length > 0 ? [...new Set([...detail.aliases, hexId.slice(0, 12)])] : null,
  };
}

/** Docker gives every leg an id; ours follows from container and network. */
export function endpointId(hexId: string, network: string): string {
  const tail = Buffer.from(network).toString("hex").padEnd(32, "0").slice(0, 32);
  return `${hexId.slice(0, 32)}${tail}`;
}

export function portMap(ports: readonly PortMappingEntry[], exposed: readonly string[]): PortMap {
  const map = new Map<string, PortBinding[] | null>(exposed.map((port) => [port.includes("/") ? port : `${port}/tcp`, null]));
  for (const { containerPort, protocol, hostIp = "0.0.0.0", hostPort } of ports) {
    const key = `${containerPort}/${protocol}`;
    map.set(key, [...(map.get(key) ?? []), { HostIp: hostIp, HostPort: String(hostPort ?? "") }]);
  }
  return Object.fromEntries(map);
}

export function portSummaries(ports: readonly PortMappingEntry[]): readonly PortSummary[] {
  return ports.map(({ containerPort, protocol, hostIp, hostPort }) =>
    hostPort === undefined
      ? { PrivatePort: containerPort, Type: protocol }
      : { IP: hostIp ?? "0.0.0.0", PrivatePort: containerPort, PublicPort: hostPort, Type: protocol },
  );
}
