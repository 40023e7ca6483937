/**
 * The one nftables table of Berth, as text for `nft -f -`. The rules never change; what changes are the elements of its sets
 * and maps (set-elements.ts), so a container that starts or publishes a port costs no child process.
 */

import { isIPv6 } from "node:net";
import { isAnyAddress } from "./ports.ts";
import type { PublishedPort } from "./records.ts";
import type { Network } from "./types.ts";

/** Bump when the rules change: a table without this set is replaced. */
export const formatSet = "format_2";

/**
 * Sets: `bridges` all our bridges; `outgoing` those that are not internal; `same` pairs of equal names, because nftables
 * cannot compare two fields of a packet. Maps: published ports on any local address, and on one address.
 */
export function rulesetText(table: string, content: { readonly networks: readonly Network[]; readonly ports: readonly PublishedPort[] }): string {
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  set ${formatSet} {
    type mark
  }
  set bridges {
    type ifname
  }
  set outgoing {
    type ifname
  }
  set same {
    type ifname . ifname
  }
  set subnets {
    type ipv4_addr
    flags interval
  }
  set subnets6 {
    type ipv6_addr
    flags interval
  }
  map ports_any {
    type inet_proto . inet_service : ipv4_addr . inet_service
  }
  map ports_addr {
    type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
  }

  map ports6_any {
    type inet_proto . inet_service : ipv6_addr . inet_service
  }
  map ports6_addr {
    type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service
  }

  # route_localnet, which publishing on 127.0.0.1 needs, would let containers reach what listens on the host's loopback.
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
    iifname @bridges ip saddr 127.0.0.0/8 drop
  }

  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump published
  }

  chain output {
    type nat hook output priority -100; policy accept;
    jump published
  }

  chain published {
    dnat ip to meta l4proto . ip daddr . th dport map @ports_addr
    fib daddr type local dnat ip to meta l4proto . th dport map @ports_any
    dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6_addr
    fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6_any
  }

  # Within a bridge: free. Out of an outgoing bridge: free. Into a bridge: answers and published ports only.
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname . oifname @same accept
    oifname @bridges ct state established,related accept
    oifname @bridges ct status dnat accept
    oifname @bridges drop
    iifname @outgoing accept
    iifname @bridges ct state established,related accept
    iifname @bridges drop
  }

  # A container that reaches a published port by the host's address may sit next to the one behind it, which would answer
  # directly; the host's loopback address means something else inside. Both must look like the host. By source address,
  # since packets that br_netfilter shows us have lost their input interface here.
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @subnets oifname != @bridges oifname != "lo" masquerade
    ip saddr @subnets oifname @bridges ct status dnat masquerade
    ip saddr 127.0.0.0/8 oifname @bridges ct status dnat masquerade
    ip6 saddr @subnets6 oifname != @bridges oifname != "lo" masquerade
    ip6 saddr @subnets6 oifname @bridges ct status dnat masquerade
  }
}
${content.networks.map((network) => networkText(table, network)).join("")}${content.ports.map((port) => portText(table, port)).join("")}`;
}

function networkText(table: string, { bridge, internal, subnet, ipv6 }: Network): string {
  const add = (set: string, element: string): string => `add element inet ${table} ${set} { ${element} }\n`;
  const everywhere = [add("bridges", bridge), add("same", `${bridge} . ${bridge}`), add("subnets", subnet)];
  return [...everywhere, ipv6 === undefined ? "" : add("subnets6", ipv6.subnet), internal ? "" : add("outgoing", bridge)].join("");
}

function portText(table: string, port: PublishedPort): string {
  const target = `${port.address} . ${port.containerPort}`;
  const { protocol, hostIp, hostPort } = port;
  const maps = isIPv6(hostIp) ? "ports6" : "ports";
  if (isAnyAddress(hostIp)) return `add element inet ${table} ${maps}_any { ${protocol} . ${hostPort} : ${target} }\n`;
  return `add element inet ${table} ${maps}_addr { ${protocol} . ${hostIp} . ${hostPort} : ${target} }\n`;
}
