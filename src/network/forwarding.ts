/**
 * Foreign firewall rules that stop our traffic. A packet that another table drops is gone whatever ours says, and we change
 * nobody else's table; so we find such tables and say which command mends it.
 */
import { existsSync } from "node:fs";
import { runToEnd } from "../internal/spawn.ts";
import { tablePattern } from "./names.ts";

export interface ForwardingProblem {
  /** One sentence. */
  readonly problem: string;
  /** A command for a root shell. */
  readonly remedy: string;
}

/** A chain that sees forwarded packets. */
export interface ForwardChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly policy: string;
}

/** Nothing when nft is missing, which other checks report. */
export async function forwardingProblems(bridges: readonly string[]): Promise<ForwardingProblem[]> {
  const listed = await runToEnd("nft", ["-j", "list", "chains"]).catch(() => undefined);
  const dropping = listed?.exitCode === 0 ? parseForwardChains(listed.stdout).filter(mayDrop) : [];
  const found: ForwardingProblem[] = [];
  for (const chain of dropping) {
    const rules = await runToEnd("nft", ["list", "table", chain.family, chain.table]);
    const closed = bridges.filter((bridge) => !mentions(rules.stdout, bridge));
    if (closed.length > 0) found.push(problemOf(chain, closed, rules.stdout));
  }
  return [...found, ...(await legacyProblems(bridges))];
}

/** Reads `nft -j list chains`: chains hooked to `forward` that see IPv4. */
export function parseForwardChains(json: string): ForwardChain[] {
  const parsed: unknown = JSON.parse(json);
  const objects = isRecord(parsed) && Array.isArray(parsed.nftables) ? parsed.nftables : [];
  return objects.flatMap((object: unknown) => {
    const chain = isRecord(object) ? object.chain : undefined;
    if (!isRecord(chain) || chain.hook !== "forward" || (chain.family !== "ip" && chain.family !== "inet")) return [];
    return [{ family: chain.family, table: String(chain.table), name: String(chain.name), policy: String(chain.policy) }];
  });
}

/** firewalld accepts by policy and rejects by its last rule. */
function mayDrop({ policy, table }: ForwardChain): boolean {
  return !tablePattern.test(table) && (policy === "drop" || table === "firewalld");
}

function problemOf(chain: ForwardChain, bridges: readonly string[], rules: string): ForwardingProblem {
  const problem = `chain ${chain.name} of nftables table ${chain.family} ${chain.table} stops forwarded packets, also those of ${bridges.join(", ")}: containers and the outside cannot reach each other`;
  if (chain.table === "filter" && chain.family === "ip") {
    const target = /chain DOCKER-USER /.test(rules) ? "DOCKER-USER" : "FORWARD";
    return { problem, remedy: bridges.flatMap((bridge) => iptablesAccept("iptables", target, bridge)).join(" && ") };
  }
  if (chain.table === "firewalld") {
    const trust = bridges.map((bridge) => `firewall-cmd --permanent --zone=trusted --add-interface=${bridge}`);
    return { problem, remedy: [...trust, "firewall-cmd --reload"].join(" && ") };
  }
  const accept = (bridge: string, side: string): string => `nft insert rule ${chain.family} ${chain.table} ${chain.name} ${side} ${bridge} accept`;
  return { problem, remedy: bridges.flatMap((bridge) => [accept(bridge, "iifname"), accept(bridge, "oifname")]).join(" && ") };
}

/** The older iptables lives in tables of its own, which nft does not show. */
async function legacyProblems(bridges: readonly string[]): Promise<ForwardingProblem[]> {
  if (!existsSync("/proc/net/ip_tables_names")) return [];
  const rules = await runToEnd("iptables-legacy", ["-S"]).catch(() => undefined);
  if (rules?.exitCode !== 0 || !rules.stdout.includes("-P FORWARD DROP")) return [];
  const closed = bridges.filter((bridge) => !rules.stdout.includes(` ${bridge} `));
  if (closed.length === 0) return [];
  const target = rules.stdout.includes("-N DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
  return [
    {
      problem: `iptables (legacy) stops forwarded packets, also those of ${closed.join(", ")}: containers and the outside cannot reach each other`,
      remedy: closed.flatMap((bridge) => iptablesAccept("iptables-legacy", target, bridge)).join(" && "),
    },
  ];
}

function iptablesAccept(program: string, chain: string, bridge: string): string[] {
  return [`${program} -I ${chain} -i ${bridge} -j ACCEPT`, `${program} -I ${chain} -o ${bridge} -j ACCEPT`];
}

function mentions(rules: string, bridge: string): boolean {
  return ["iifname", "oifname"].every((side) => rules.includes(`${side} "${bridge}"`));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
