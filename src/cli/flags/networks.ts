/** `--network` and what goes with it on `run`, `create` and `network connect`; subnets of `network create`. */
import { InvalidArgumentError } from "commander";
import type { NetworkConnectOptions, NetworkSubnet } from "../../runtime/extras.ts";
import { type IpSubnet, ipWithin, parseIp, parseIpSubnet } from "../../spec/ip.ts";
import type { NetworkAttachmentInput, ServiceSpec } from "../../spec/service-spec.ts";
import { splitOnce } from "./values.ts";

export interface NetworkFlags {
  readonly network?: readonly string[];
  readonly net?: readonly string[];
  readonly networkAlias?: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
}

const modes = ["default", "bridge", "host", "none"];

/** The first `--network` is the main one; the flags for aliases and addresses are about it. */
export function networkFlags(flags: NetworkFlags): Pick<ServiceSpec, "networkMode" | "networks"> {
  const given = [...(flags.network ?? []), ...(flags.net ?? [])].map(parseNetwork);
  const [main, ...others] = given;
  const own = { aliases: flags.networkAlias, ipv4: flags.ip, ipv6: flags.ip6, macAddress: flags.macAddress };
  const hasOwn = Object.values(own).some((value) => value !== undefined);
  if (main === undefined) return hasOwn ? { networks: [{ name: "bridge", ...own }] } : {};
  const isWithoutNetwork = ["host", "none"].includes(main.name) || main.name.startsWith("container:");
  if (isWithoutNetwork && (others.length > 0 || hasOwn)) {
    throw new InvalidArgumentError(`conflicting options: network ${main.name} cannot be combined with other networks, aliases or addresses.`);
  }
  if (isWithoutNetwork || (main.name.includes(":") && others.length === 0 && !hasOwn)) return { networkMode: main.name };
  const name = main.name.startsWith("bridge:") ? main.name.slice("bridge:".length) : main.name;
  const networkMode = modes.includes(name) ? name : { mode: "bridge" as const, name };
  const settings = withoutAbsent({ ...main, ...withoutAbsent(own), name: name === "default" ? "bridge" : name });
  const isPlain = others.length === 0 && Object.keys(settings).length === 1;
  return isPlain ? { networkMode } : { networkMode, networks: [settings, ...others] };
}

/** `mynet`, or Docker's `name=mynet,alias=web,ip=10.0.0.5,ip6=fd00::5,mac-address=…`. */
function parseNetwork(text: string): NetworkAttachmentInput {
  if (!text.includes("=")) return { name: text };
  const aliases: string[] = [];
  const fields = new Map<string, string>();
  for (const part of text.split(",")) {
    const [key, value = ""] = splitOnce(part, "=");
    if (key === "alias") aliases.push(value);
    else if (["name", "ip", "ip6", "mac-address"].includes(key)) fields.set(key, value);
    else throw new InvalidArgumentError(`invalid network ${JSON.stringify(text)}: there are name=, alias=, ip=, ip6= and mac-address=.`);
  }
  const name = fields.get("name");
  if (name === undefined) throw new InvalidArgumentError(`invalid network ${JSON.stringify(text)}: name= is missing.`);
  return withoutAbsent({
    name,
    aliases: aliases.length > 0 ? aliases : undefined,
    ipv4: fields.get("ip"),
    ipv6: fields.get("ip6"),
    macAddress: fields.get("mac-address"),
  });
}

export function connectOptions(flags: { readonly alias?: readonly string[]; readonly ip?: string; readonly ip6?: string }): NetworkConnectOptions {
  return { aliases: flags.alias, ipv4: flags.ip, ipv6: flags.ip6 };
}

/** Gateways and ranges find their subnet by lying in it. */
export function parseSubnets(o: {
  readonly subnets: readonly string[];
  readonly gateways: readonly string[];
  readonly ranges: readonly string[];
}): NetworkSubnet[] {
  const parsed = o.subnets.map((subnet) => ({ subnet, parsed: usage(subnet, parseIpSubnet) }));
  const owner = (what: string, text: string, isIn: (subnet: IpSubnet) => boolean): string => {
    const found = parsed.find((one) => isIn(one.parsed));
    if (found === undefined) throw new InvalidArgumentError(`no matching subnet for ${what} ${text}.`);
    return found.subnet;
  };
  const gateways = o.gateways.map((text) => [owner("gateway", text, (subnet) => ipWithin(subnet, usage(text, parseIp))), text] as const);
  const ranges = o.ranges.map((text) => {
    const range = usage(text, parseIpSubnet);
    return [owner("range", text, (subnet) => ipWithin(subnet, { family: range.family, value: range.first })), text] as const;
  });
  return o.subnets.map((subnet) => ({ subnet, gateway: new Map(gateways).get(subnet), ipRange: new Map(ranges).get(subnet) }));
}

function usage<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`${error instanceof Error ? error.message : String(error)}.`);
  }
}

function withoutAbsent<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
