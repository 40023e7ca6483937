/** Which networks a container is in, and as what (`networks` of a spec; what `connect` takes obeys the same rules). */
import { canonicalIp, parseIp } from "./ip.ts";
import { type Fields, invalid, list, nonEmptyText, onlyKeys, optional, record } from "./fields.ts";
import { checkNetworkName, predefinedNetworks } from "./network-options.ts";
import type { NetworkAttachment, NetworkMode } from "./service-spec.ts";

const defaultNetwork = "bridge";

/**
 * Networks and mode made to agree: the mode's network comes first, and without a mode the first network becomes it. Empty
 * for modes without a network of their own. Throws `invalid_spec`.
 */
export function completeAttachments(value: unknown, mode: NetworkMode): { readonly mode: NetworkMode; readonly networks: readonly NetworkAttachment[] } {
  const given = optional(value, "networks", list(completeAttachment)) ?? [];
  const twice = given.find(({ name }, index) => given.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) throw invalid("networks", `network ${twice.name} is named twice`);
  if (mode.mode === "host" || mode.mode === "none" || mode.mode === "container") {
    if (given.length > 0) throw invalid("networks", `network mode ${mode.mode} excludes other networks; use bridge:<name>`);
    return { mode, networks: [] };
  }
  const main = mode.mode === "default" ? (given[0]?.name ?? defaultNetwork) : (mode.name ?? defaultNetwork);
  const networks = [given.find(({ name }) => name === main) ?? { name: main, aliases: [] }, ...given.filter(({ name }) => name !== main)];
  return { mode: mode.mode === "default" && main !== defaultNetwork ? { mode: "bridge", name: main } : mode, networks };
}

function completeAttachment(value: unknown, field: string): NetworkAttachment {
  const fields: Fields = typeof value === "string" ? { name: value } : record(value, field);
  onlyKeys(fields, field, ["name", "aliases", "ipv4", "ipv6", "macAddress"]);
  const written = checkNetworkName(nonEmptyText(fields["name"], `${field}.name`));
  const name = written === "default" ? defaultNetwork : written;
  if (name !== defaultNetwork && predefinedNetworks.includes(name))
    throw invalid(`${field}.name`, `network ${name} cannot be one of several; use networkMode ${name}`);
  return { name, ...completeConnection(name, fields, field) };
}

/** What `connect` and a spec say about one network. Throws `invalid_spec`. */
export function completeConnection(network: string, fields: Fields, field: string): Omit<NetworkAttachment, "name"> {
  const aliases = optional(fields["aliases"], `${field}.aliases`, list(alias)) ?? [];
  if (aliases.length > 0 && network === defaultNetwork) {
    throw invalid(`${field}.aliases`, "names do not resolve on the default network; create a network of your own for that");
  }
  return {
    aliases: [...new Set(aliases)],
    ipv4: address(fields["ipv4"], `${field}.ipv4`, 4),
    ipv6: address(fields["ipv6"], `${field}.ipv6`, 6),
    macAddress: optional(fields["macAddress"] || undefined, `${field}.macAddress`, macAddress),
  };
}

function alias(value: unknown, field: string): string {
  const name = nonEmptyText(value, field);
  if (/^[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]{0,253}[a-zA-Z0-9_])?$/.test(name)) return name;
  throw invalid(field, `${JSON.stringify(name)} is not a host name: letters, digits, dots, hyphens and underscores only`);
}

function address(value: unknown, field: string, family: 4 | 6): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const text = nonEmptyText(value, field);
  if (isOfFamily(text, family)) return canonicalIp(text);
  throw invalid(field, `${JSON.stringify(text)} is not an IPv${family} address`);
}

function isOfFamily(text: string, family: 4 | 6): boolean {
  try {
    return parseIp(text).family === family;
  } catch {
    return false;
  }
}

function macAddress(value: unknown, field: string): string {
  const text = nonEmptyText(value, field).toLowerCase().replaceAll("-", ":");
  if (!/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text)) throw invalid(field, `${JSON.stringify(value)} is not a MAC address; write it as 02:42:ac:11:00:02`);
  if ((Number.parseInt(text.slice(0, 2), 16) & 1) === 1) throw invalid(field, `${text} is a multicast address; the second digit must be even`);
  return text;
}
