/** Legs in networks: what a spec or a connect asks for, checked against the networks and in Docker's words. */
import { isApiVersion } from "../../docker-api/api-version.ts";
import type { EndpointSettings } from "../../docker-api/endpoint-settings.ts";
import type { NetworkInspect } from "../../docker-api/networks.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError } from "../../errors.ts";
import { isHostAddress, parseIp, parseIpSubnet } from "../../spec/ip.ts";
import type { CompleteSpec, NetworkAttachment } from "../../spec/service-spec.ts";
import type { DockerContext } from "./context.ts";
import { items, text } from "./read.ts";

export type Leg = Omit<NetworkAttachment, "name">;

/** Since 1.44 a create takes any number of legs with all they have; before, one, and its MAC address stands elsewhere. */
export function takesAllLegs(ctx: DockerContext): boolean {
  return isApiVersion(ctx.facts.apiVersion, "1.44");
}

export function endpointSettings({ aliases, ipv4, ipv6, macAddress }: Leg): EndpointSettings {
  const ipam = { ...(ipv4 === undefined ? {} : { IPv4Address: ipv4 }), ...(ipv6 === undefined ? {} : { IPv6Address: ipv6 }) };
  return {
    ...(Object.keys(ipam).length === 0 ? {} : { IPAMConfig: ipam }),
    ...(aliases.length === 0 ? {} : { Aliases: aliases }),
    ...(macAddress === undefined ? {} : { MacAddress: macAddress }),
  };
}

/** Docker would create a container of a network that is not there, or of an address it can never give, and fail at its start. */
export async function checkAttachments(ctx: DockerContext, { networks, networkMode }: CompleteSpec): Promise<void> {
  const isPlain = (leg: NetworkAttachment): boolean => Object.keys(endpointSettings(leg)).length === 0;
  // The default network is always there.
  const looked = networks.filter((leg) => !(isPlain(leg) && (leg.name === "bridge" || networkMode.mode === "default")));
  await Promise.all(looked.map(async (leg) => checkLeg(leg.name, leg, await ctx.client.object<NetworkInspect>("GET", `/networks/${pathPart(leg.name)}`))));
}

/** Throws `invalid_spec` for an address the network can never give. */
export function checkLeg(name: string, { ipv4, ipv6 }: Leg, network: Received<NetworkInspect>): void {
  const subnets = items(network.IPAM?.Config).flatMap(({ Subnet: subnet }) => (text(subnet) === undefined ? [] : [parseIpSubnet(text(subnet) ?? "")]));
  for (const address of [ipv4, ipv6]) {
    if (address === undefined || subnets.some((subnet) => isHostAddress(subnet, parseIp(address)))) continue;
    throw new BerthError("invalid_spec", `address ${address} is no usable address of network ${name}`, { id: name });
  }
}
