/** What a network shall be, checked with no look at the host: the same rules for every backend. */
import { BerthError } from "../errors.ts";
import { type IpFamily, type IpSubnet, ipSubnetText, ipSubnetWithin, ipText, isHostAddress, parseIp, parseIpSubnet } from "./ip.ts";

/** Networks every host has; they cannot be made or removed. */
export const predefinedNetworks: readonly string[] = ["bridge", "host", "none"];

export interface SubnetInput {
  readonly subnet: string;
  readonly gateway?: string | undefined;
  readonly ipRange?: string | undefined;
}

export interface NetworkOptionsInput {
  readonly name: string;
  readonly driver?: string | undefined;
  readonly internal?: boolean | undefined;
  readonly enableIpv6?: boolean | undefined;
  readonly subnets?: readonly SubnetInput[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
}

export interface CompleteNetworkOptions {
  readonly name: string;
  readonly internal: boolean;
  readonly enableIpv6: boolean;
  /** Absent = the backend chooses. */
  readonly ipv4?: SubnetInput | undefined;
  /** Absent with `enableIpv6` = the backend chooses. */
  readonly ipv6?: SubnetInput | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Docker's driver options; unknown ones are kept and do nothing. */
  readonly options: Readonly<Record<string, string>>;
  /** `com.docker.network.bridge.name`: name of the interface on the host. */
  readonly bridgeName?: string | undefined;
  /** `com.docker.network.driver.mtu`. */
  readonly mtu?: number | undefined;
}

const prefixLimits: Readonly<Record<IpFamily, readonly [number, number]>> = { 4: [8, 30], 6: [16, 126] };

/** Throws `invalid_spec`, `conflict` for the name of a predefined network, `unsupported` for another driver. */
export function completeNetworkOptions(o: NetworkOptionsInput): CompleteNetworkOptions {
  const name = checkNetworkName(o.name);
  if (name === "default" || predefinedNetworks.includes(name))
    throw new BerthError("conflict", `network ${name} is predefined and exists already`, { id: name });
  const { driver = "bridge", options = {} } = o;
  if (driver !== "bridge") throw new BerthError("unsupported", `network ${name}: there is no driver ${JSON.stringify(driver)}; use bridge`, { id: name });
  const subnets = (o.subnets ?? []).map(completeSubnet);
  const [ipv4, ipv6] = [onlyOne(name, subnets, 4), onlyOne(name, subnets, 6)];
  if (ipv6 !== undefined && o.enableIpv6 === false) {
    throw new BerthError("invalid_spec", `network ${name} has the IPv6 subnet ${ipv6.subnet} but IPv6 is switched off; enable it or drop the subnet`);
  }
  const enableIpv6 = o.enableIpv6 ?? ipv6 !== undefined;
  const mtu = mtuOption(options["com.docker.network.driver.mtu"], enableIpv6);
  const bridgeName = bridgeNameOption(options["com.docker.network.bridge.name"]);
  return { name, internal: o.internal ?? false, enableIpv6, ipv4, ipv6, labels: o.labels ?? {}, options, bridgeName, mtu };
}

/** Docker's rule. Throws `invalid_spec`. */
export function checkNetworkName(name: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) return name;
  throw new BerthError("invalid_spec", `network name ${JSON.stringify(name)} must be 1 to 128 letters, digits, and _ . - after the first`);
}

function completeSubnet(input: SubnetInput): SubnetInput & { readonly parsed: IpSubnet } {
  const parsed = parseIpSubnet(input.subnet);
  const subnet = ipSubnetText(parsed);
  const [shortest, longest] = prefixLimits[parsed.family];
  if (parsed.prefix < shortest || parsed.prefix > longest) {
    throw new BerthError("invalid_spec", `subnet ${subnet} must have a prefix of ${shortest} to ${longest} bits`);
  }
  return { subnet, gateway: gatewayWithin(parsed, input.gateway), ipRange: rangeWithin(parsed, input.ipRange), parsed };
}

function gatewayWithin(subnet: IpSubnet, text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  const address = parseIp(text);
  if (isHostAddress(subnet, address)) return ipText(address);
  throw new BerthError("invalid_spec", `gateway ${text} is no usable address of subnet ${ipSubnetText(subnet)}`);
}

function rangeWithin(subnet: IpSubnet, text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  const range = parseIpSubnet(text);
  if (ipSubnetWithin(subnet, range)) return ipSubnetText(range);
  throw new BerthError("invalid_spec", `ip range ${text} does not lie within subnet ${ipSubnetText(subnet)}`);
}

function onlyOne(name: string, subnets: readonly (SubnetInput & { readonly parsed: IpSubnet })[], family: IpFamily): SubnetInput | undefined {
  const [found, ...others] = subnets.filter(({ parsed }) => parsed.family === family);
  if (others.length > 0) throw new BerthError("invalid_spec", `network ${name} has several IPv${family} subnets; give one of each family at most`);
  return found && { subnet: found.subnet, gateway: found.gateway, ipRange: found.ipRange };
}

function mtuOption(text: string | undefined, enableIpv6: boolean): number | undefined {
  if (text === undefined || text === "" || text === "0") return undefined;
  const smallest = enableIpv6 ? 1280 : 68;
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (mtu >= smallest && mtu <= 65_535) return mtu;
  throw new BerthError("invalid_spec", `com.docker.network.driver.mtu ${JSON.stringify(text)} must be a number from ${smallest} to 65535`);
}

function bridgeNameOption(text: string | undefined): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(text)) return text;
  throw new BerthError("invalid_spec", `com.docker.network.bridge.name ${JSON.stringify(text)} must be 1 to 15 letters, digits, and _ . - after the first`);
}
