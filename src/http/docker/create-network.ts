/** Networks and ports of a create body. */
import { isIP } from "node:net";
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { EndpointSettings } from "../../docker-api/endpoint-settings.ts";
import type { PortMap } from "../../docker-api/host-config.ts";
import type { NetworkConnectOptions } from "../../runtime/extras.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import type { NetworkAttachmentInput, NetworkMode, PortMappingInput, ServiceSpec } from "../../spec/service-spec.ts";
import { HttpError } from "../status.ts";

type NetworkFields = Pick<ServiceSpec, "networkMode" | "networks" | "portMappings" | "expose" | "dns" | "dnsSearch" | "dnsOptions" | "extraHosts">;

export function networkSpec(body: ContainerCreateBody, image: ImageInspectInfo): NetworkFields {
  const host = body.HostConfig ?? {};
  const exposed = [...Object.keys(body.ExposedPorts ?? {}), ...Object.keys(host.PortBindings ?? {})];
  const published = portMappings(host.PortBindings ?? {});
  const all = host.PublishAllPorts === true ? [...new Set([...exposed, ...(image.exposedPorts ?? [])])] : [];
  return {
    networkMode: body.NetworkDisabled === true ? { mode: "none" } : networkModeOf(primaryNetwork(body)),
    networks: networkLegs(body),
    portMappings: [...published, ...missingPorts(all, published)],
    expose: [...new Set(exposed)],
    dns: host.Dns ?? undefined,
    dnsSearch: host.DnsSearch ?? undefined,
    dnsOptions: host.DnsOptions ?? undefined,
    extraHosts: host.ExtraHosts ?? undefined,
  };
}

/** `HostConfig.NetworkMode`; without one the first network the body connects to. */
export function primaryNetwork(body: ContainerCreateBody): string {
  const mode = body.HostConfig?.NetworkMode;
  if (mode) return mode;
  return Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {})[0] ?? "default";
}

/** A word that is no mode is the name of a network (contract 1.3.2). */
export function networkModeOf(text: string): NetworkMode {
  if (text === "default" || text === "bridge" || text === "") return { mode: "default" };
  if (text === "host" || text === "none") return { mode: text };
  if (text.startsWith("container:")) {
    const id = text.slice("container:".length);
    if (id === "") throw new HttpError(400, "invalid network mode: invalid container format container:<name|id>");
    return { mode: "container", id };
  }
  return { mode: "bridge", name: text };
}

/** The body's legs. In modes without a network of their own Docker sends one all the same, and it says nothing. */
function networkLegs(body: ContainerCreateBody): readonly NetworkAttachmentInput[] {
  const endpoints = body.NetworkingConfig?.EndpointsConfig ?? {};
  const primary = primaryNetwork(body);
  if (body.NetworkDisabled === true || /^(host|none|container:.*)$/.test(primary)) return [];
  const name = (network: string): string => (network === "default" ? "bridge" : network);
  return Object.keys(endpoints).map((network) => ({
    name: name(network),
    ...connectOptions(endpoints[network] ?? {}, name(network) === name(primary) ? body.MacAddress : undefined),
  }));
}

export function connectOptions(endpoint: EndpointSettings, macAddress?: string): NetworkConnectOptions {
  const { IPv4Address: ipv4, IPv6Address: ipv6 } = endpoint.IPAMConfig ?? {};
  if (ipv4 && isIP(ipv4) !== 4) throw new HttpError(400, `invalid IPv4 address: ${ipv4}`);
  if (ipv6 && isIP(ipv6) !== 6) throw new HttpError(400, `invalid IPv6 address: ${ipv6}`);
  return {
    aliases: endpoint.Aliases ?? undefined,
    ipv4: ipv4 || undefined,
    ipv6: ipv6 || undefined,
    macAddress: endpoint.MacAddress || macAddress || undefined,
  };
}

export function parsePort(text: string): { readonly port: number; readonly protocol: "tcp" | "udp" } {
  const [number = "", protocol = "tcp"] = text.split("/");
  const port = Number(number);
  if (!/^\d+$/.test(number) || port < 1 || port > 65_535) throw new HttpError(400, `invalid port specification: ${JSON.stringify(text)}`);
  if (protocol !== "tcp" && protocol !== "udp") throw new HttpError(400, `invalid port ${JSON.stringify(text)}: tcp and udp can be published`);
  return { port, protocol };
}

function portMappings(bindings: PortMap): PortMappingInput[] {
  return Object.entries(bindings).flatMap(([key, places]) => {
    const { port: containerPort, protocol } = parsePort(key);
    const wanted = places != null && places.length > 0 ? places : [{}];
    return wanted.map(({ HostIp, HostPort }) => ({ containerPort, protocol, hostIp: HostIp || undefined, ...hostPortOf(HostPort ?? "") }));
  });
}

/** Of a range such as `8000-8010` the first free port is taken at the start. */
function hostPortOf(text: string): Pick<PortMappingInput, "hostPort" | "hostPortEnd"> {
  if (text === "" || text === "0") return {};
  const [, first = "", last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [hostPort, hostPortEnd] = [Number(first), Number(last)];
  if (first === "" || hostPortEnd > 65_535 || hostPortEnd < hostPort) throw new HttpError(400, `invalid port specification: ${JSON.stringify(text)}`);
  if (hostPort === 0) return {};
  return hostPortEnd === hostPort ? { hostPort } : { hostPort, hostPortEnd };
}

function missingPorts(exposed: readonly string[], published: readonly PortMappingInput[]): PortMappingInput[] {
  return exposed
    .map((text) => {
      const { port: containerPort, protocol } = parsePort(text);
      return { containerPort, protocol };
    })
    .filter((wanted) => !published.some((have) => have.containerPort === wanted.containerPort && have.protocol === wanted.protocol));
}
