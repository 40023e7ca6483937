/** Networking fields of a spec (contract 1.3.2) as Docker's. `endpoints` are the proxy's and never published. */
import type { ContainerConfig } from "../../docker-api/container-config.ts";
import type { HostConfig, PortBinding } from "../../docker-api/host-config.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";

export interface NetworkFields {
  readonly config: Pick<ContainerConfig, "ExposedPorts" | "Hostname">;
  readonly hostConfig: Pick<HostConfig, "NetworkMode" | "PortBindings" | "Dns" | "DnsSearch" | "DnsOptions" | "ExtraHosts" | "PidMode" | "IpcMode" | "UTSMode">;
}

/** Modes that name another container, with the name the engine knows it by. */
export interface SharedModes {
  readonly network?: string | undefined;
  readonly pid?: string | undefined;
  readonly ipc?: string | undefined;
}

export function networkFields(spec: CompleteSpec, shared: SharedModes): NetworkFields {
  const ports = [...spec.expose.flatMap(expandedPorts), ...spec.portMappings.map(portKey), ...spec.endpoints.map((one) => `${one.targetPort ?? one.port}/tcp`)];
  const bindings = portBindings(spec);
  return {
    config: {
      ...(ports.length === 0 ? {} : { ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])) }),
      ...(spec.hostname === undefined ? {} : { Hostname: spec.hostname }),
    },
    hostConfig: {
      NetworkMode: networkMode(spec, shared.network),
      ...(Object.keys(bindings).length === 0 ? {} : { PortBindings: bindings }),
      ...(spec.dns.length === 0 ? {} : { Dns: spec.dns }),
      ...(spec.dnsSearch === undefined ? {} : { DnsSearch: spec.dnsSearch }),
      ...(spec.dnsOptions === undefined ? {} : { DnsOptions: spec.dnsOptions }),
      ...(spec.extraHosts.length === 0 ? {} : { ExtraHosts: spec.extraHosts }),
      ...mode("PidMode", shared.pid ?? spec.pidMode),
      ...mode("IpcMode", shared.ipc ?? spec.ipcMode),
      ...mode("UTSMode", spec.utsMode),
    },
  };
}

function mode(field: "PidMode" | "IpcMode" | "UTSMode", value: string | undefined): Pick<HostConfig, "PidMode" | "IpcMode" | "UTSMode"> {
  return value === undefined || value === "" ? {} : { [field]: value };
}

/** Docker's mode is the name of the main network. */
function networkMode({ networkMode: wanted, networks }: CompleteSpec, shared: string | undefined): string {
  switch (wanted.mode) {
    case "default":
    case "bridge": {
      const main = networks[0]?.name ?? "bridge";
      return wanted.mode === "default" && main === "bridge" ? "default" : main;
    }
    case "container":
      return `container:${shared ?? wanted.id}`;
    case "host":
    case "none":
      return wanted.mode;
  }
  return wanted satisfies never;
}

function portKey({ containerPort, protocol }: CompleteSpec["portMappings"][number]): string {
  return `${containerPort}/${protocol}`;
}

function portBindings({ portMappings }: CompleteSpec): Readonly<Record<string, readonly PortBinding[]>> {
  const byPort = Object.groupBy(portMappings, portKey);
  const entries = Object.entries(byPort).map(([key, mappings = []]) => [
    key,
    mappings.map((mapping) => ({ HostIp: mapping.hostIp, HostPort: hostPortText(mapping) })),
  ]);
  return Object.fromEntries(entries);
}

/** `""` lets the engine choose, a range the first free one of it. */
function hostPortText({ hostPort, hostPortEnd }: CompleteSpec["portMappings"][number]): string {
  if (hostPort === undefined) return "";
  return hostPortEnd === undefined ? String(hostPort) : `${hostPort}-${hostPortEnd}`;
}

/** `80`, `53/udp`, `8000-8010` → `80/tcp`, … */
function expandedPorts(text: string): readonly string[] {
  const [range = "", protocol = "tcp"] = text.split("/");
  const [low = 0, high = low] = range.split("-").map(Number);
  return Array.from({ length: high - low + 1 }, (_, offset) => `${low + offset}/${protocol}`);
}
