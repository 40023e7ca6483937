/** Networking fields of a spec (contract 1.3.2). */
import { isIP } from "node:net";
import { isRecord } from "./descriptor.ts";
import { absolutePath, integer, invalid, nonEmptyText, oneOf, onlyKeys, optional, record, text } from "./fields.ts";
import type { EndpointSpec, NetworkMode, PortMapping } from "./service-spec.ts";

const port = integer(1, 65535);
const networkNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Text and tagged forms as one; `hostNetwork` counts only where no mode was given. */
export function completeNetworkMode(mode: unknown, hostNetwork: boolean): NetworkMode {
  const read = optional(mode, "networkMode", parseNetworkMode) ?? { mode: "default" };
  return hostNetwork && read.mode === "default" ? { mode: "host" } : read;
}

export function parseNetworkMode(value: unknown, field = "networkMode"): NetworkMode {
  if (typeof value === "string") return modeOfText(value, field);
  const fields = record(value, field);
  if (typeof fields["mode"] === "string") {
    onlyKeys(fields, field, ["mode", "name", "id"]);
    return modeOf(fields["mode"], fields["name"] ?? fields["id"], field);
  }
  const [tag, ...others] = Object.keys(fields);
  if (tag === undefined || others.length > 0) throw invalid(field, 'expected a mode such as "bridge" or {"bridge":{"name":"…"}}');
  const inner = isRecord(fields[tag]) ? fields[tag] : {};
  return modeOf(tag, inner["name"] ?? inner["id"], field);
}

function modeOfText(value: string, field: string): NetworkMode {
  const colon = value.indexOf(":");
  return colon < 0 ? modeOf(value, undefined, field) : modeOf(value.slice(0, colon), value.slice(colon + 1), field);
}

function modeOf(mode: string, argument: unknown, field: string): NetworkMode {
  const name = optional(argument, field, nonEmptyText);
  if (mode === "bridge") {
    if (name !== undefined && !networkNamePattern.test(name)) throw invalid(field, `${JSON.stringify(name)} is not a network name`);
    return name === undefined ? { mode } : { mode, name };
  }
  if (mode === "container") {
    if (name === undefined) throw invalid(field, "container mode needs a container: container:<id>");
    return { mode, id: name };
  }
  if ((mode === "default" || mode === "host" || mode === "none") && name === undefined) return { mode };
  throw invalid(field, `${JSON.stringify(mode)} is not a network mode; use default, host, none, bridge[:<name>] or container:<id>`);
}

export function completePortMapping(value: unknown, field: string): PortMapping {
  const fields = record(value, field);
  onlyKeys(fields, field, ["hostPort", "hostPortEnd", "containerPort", "protocol", "hostIp"]);
  const hostIp = optional(fields["hostIp"], `${field}.hostIp`, text) || "0.0.0.0";
  if (isIP(hostIp) === 0) throw invalid(`${field}.hostIp`, `${JSON.stringify(hostIp)} is not an IP address`);
  const hostPort = optional(fields["hostPort"], `${field}.hostPort`, integer(0, 65535)) || undefined;
  const hostPortEnd = optional(fields["hostPortEnd"], `${field}.hostPortEnd`, port);
  if (hostPortEnd !== undefined && (hostPort === undefined || hostPortEnd < hostPort)) {
    throw invalid(`${field}.hostPortEnd`, `${hostPortEnd} ends no range that begins with host port ${hostPort ?? "0"}`);
  }
  return {
    hostPort,
    ...(hostPortEnd === undefined || hostPortEnd === hostPort ? {} : { hostPortEnd }),
    containerPort: port(fields["containerPort"], `${field}.containerPort`),
    protocol: optional(fields["protocol"], `${field}.protocol`, oneOf("tcp", "udp")) ?? "tcp",
    hostIp,
  };
}

const endpointKeys = ["name", "protocol", "port", "targetPort", "path", "host", "expose", "stream", "targetRole", "tunnel"];

/** Only the ports concern a runtime; the rest is the proxy's and passes through. */
export function completeEndpoint(value: unknown, field: string): EndpointSpec {
  const fields = record(value, field);
  onlyKeys(fields, field, endpointKeys);
  return {
    ...fields,
    name: nonEmptyText(fields["name"], `${field}.name`),
    protocol: oneOf("http", "https", "tcp", "udp", "websocket")(fields["protocol"], `${field}.protocol`),
    port: port(fields["port"], `${field}.port`),
    targetPort: optional(fields["targetPort"], `${field}.targetPort`, port),
  };
}

export function exposedPort(value: unknown, field: string): string {
  const written = nonEmptyText(value, field);
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(?:tcp|udp|sctp))?$/.exec(written);
  const [low, high] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || low < 1 || high > 65535 || low > high) {
    throw invalid(field, `${JSON.stringify(written)} is not a port; write one such as "80" or "53/udp"`);
  }
  return written;
}

export function ipAddress(value: unknown, field: string): string {
  const address = nonEmptyText(value, field);
  if (isIP(address) === 0) throw invalid(field, `${JSON.stringify(address)} is not an IP address`);
  return address;
}

/** A domain for names without one; `.` stands for none. */
export function searchDomain(value: unknown, field: string): string {
  const domain = nonEmptyText(value, field);
  if (!/^[a-zA-Z0-9_.-]{1,255}$/.test(domain)) throw invalid(field, `${JSON.stringify(domain)} is not a domain`);
  return domain;
}

export function resolverOption(value: unknown, field: string): string {
  const option = nonEmptyText(value, field);
  if (!/^[\x21-\x7e]{1,255}$/.test(option)) throw invalid(field, `${JSON.stringify(option)} is not an option of resolv.conf; write one such as "ndots:2"`);
  return option;
}

/** `hostname:ip`, split at the first colon; brackets around an IPv6 address are dropped. */
export function extraHost(value: unknown, field: string): string {
  const written = nonEmptyText(value, field);
  const colon = written.indexOf(":");
  const name = written.slice(0, Math.max(colon, 0));
  const address = written.slice(colon + 1).replace(/^\[(.*)\]$/, "$1");
  if (!/^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]*)$/.test(name) || (address !== "host-gateway" && isIP(address) === 0)) {
    throw invalid(field, `${JSON.stringify(written)} must be <hostname>:<ip> or <hostname>:host-gateway`);
  }
  return `${name}:${address}`;
}

export interface NetworkFields {
  readonly mode: NetworkMode;
  readonly hostname: string | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[] | undefined;
  readonly dnsOptions: readonly string[] | undefined;
  readonly extraHosts: readonly string[];
}

/** What a network mode has no use for: refused where it would change another container, else dropped with a warning. */
export function dropUselessNetworkFields(fields: NetworkFields, warnings: string[]): NetworkFields {
  const { mode } = fields.mode;
  if (mode === "container") refuseSharedNetworkFields(fields);
  if (mode === "host" && fields.hostname !== undefined) warnings.push("hostname is ignored with host network: the host's name is seen");
  for (const field of ["dns", "dnsSearch", "dnsOptions"] as const) {
    if (mode === "host" && (fields[field] ?? []).length > 0) warnings.push(`${field} is ignored with host network: the host's resolver is used`);
  }
  const publishes = mode !== "host" && mode !== "none";
  if (!publishes && fields.portMappings.length > 0) warnings.push(`port mappings are discarded with network mode ${mode}`);
  return {
    ...fields,
    hostname: mode === "host" ? undefined : fields.hostname,
    dns: mode === "host" ? [] : fields.dns,
    dnsSearch: mode === "host" ? undefined : fields.dnsSearch,
    dnsOptions: mode === "host" ? undefined : fields.dnsOptions,
    portMappings: publishes ? fields.portMappings : [],
  };
}

function refuseSharedNetworkFields(fields: NetworkFields): void {
  const remedy = "belongs to the container whose network is joined; set it there";
  if (fields.portMappings.length > 0) throw invalid("portMappings", remedy);
  if (fields.hostname !== undefined) throw invalid("hostname", remedy);
  for (const field of ["dns", "dnsSearch", "dnsOptions"] as const) if ((fields[field] ?? []).length > 0) throw invalid(field, remedy);
  if (fields.extraHosts.length > 0) throw invalid("extraHosts", remedy);
}

export function hostname(value: unknown, field: string): string {
  const name = nonEmptyText(value, field);
  if (name.length > 64 || !/^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/.test(name)) {
    throw invalid(field, `${JSON.stringify(name)} must be at most 64 letters, digits, dots and hyphens, beginning and ending with a letter or digit`);
  }
  return name;
}

export function workdir(value: unknown, field: string): string | undefined {
  return value === "" ? undefined : absolutePath(value, field);
}
