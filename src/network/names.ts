/** What Berth's own things on the host are called. Two state roots on one host never share a name. */
import { hash } from "node:crypto";
import { ipSubnet, ipSubnetText } from "../spec/ip.ts";
import { checkNetworkName } from "../spec/network-options.ts";

export const defaultNetwork = "bridge";

export interface InstanceNames {
  /** nftables table, family `inet`. */
  readonly table: string;
  /** Interface name of a network's bridge. */
  readonly bridge: (network: string) => string;
  /** The host's end of a container's veth pair; `inner` is the name of the other end. */
  readonly hostInterface: (key: string, inner: string) => string;
  /** Where the search for a free subnet begins; see subnet-choice.ts. */
  readonly poolStart: number;
  /** A private /48 (RFC 4193), from which networks with IPv6 get their subnet. */
  readonly pool6: string;
}

/** The default state root gets the plain names `berth0` and `berth`; any other adds a suffix made from its uuid. */
export function instanceNames(o: { readonly uuid: string; readonly defaultRoot: boolean }): InstanceNames {
  const suffix = o.defaultRoot ? "" : digestOf(o.uuid, 6);
  return {
    table: suffix === "" ? "berth" : `berth_${suffix}`,
    bridge: (network) => {
      if (network === defaultNetwork) return suffix === "" ? "berth0" : `berth-${suffix}`;
      return `br-${digestOf(`${suffix}/${network}`, 12)}`;
    },
    poolStart: suffix === "" ? 0 : Number.parseInt(suffix, 16),
    pool6: ipSubnetText(ipSubnet({ family: 6, value: BigInt(`0xfd${digestOf(o.uuid, 10)}`) << 80n }, 48)),
    hostInterface: (key, inner) => `ve${digestOf(`${suffix}/${key}/${inner}`, 10)}`,
  };
}

/** Names of tables that some instance of Berth owns. */
export const tablePattern = /^berth(_[0-9a-f]{6})?$/;

/** `default` is another word for the default network. Throws `invalid_spec` for what cannot be a name. */
export function networkName(name: string): string {
  return name === "default" ? defaultNetwork : checkNetworkName(name);
}

function digestOf(text: string, length: number): string {
  return hash("sha256", text).slice(0, length);
}
