import { InvalidArgumentError } from "commander";
import type { PortMappingInput } from "../../spec/service-spec.ts";

const shape = "[ip:][hostPort:]containerPort[/tcp|udp]";

/**
 * Reads one `--publish`: `80`, `8080:80/udp`, `127.0.0.1::80`, `[::1]:8080:80`, `8000-8002:80-82`. Without a host port the
 * engine takes a free one. Ranges become one mapping for each port; `8000-8010:80` takes the first free one.
 */
export function parsePublish(text: string): readonly PortMappingInput[] {
  const [ports, protocol = "tcp"] = text.split("/", 2) as [string, string?];
  if (protocol !== "tcp" && protocol !== "udp") throw invalid(text, `${JSON.stringify(protocol)} is neither tcp nor udp`);
  const match = /^(?:(?:\[([^\]]*)\]|([^:]*)):(?=[^:]*:))?(?:([^:]*):)?([^:]+)$/.exec(ports);
  if (match === null) throw invalid(text, `expected ${shape}`);
  const container = parseRange(text, match[4] ?? "");
  const host = match[3] ? parseRange(text, match[3]) : undefined;
  const hostIp = match[1] ?? match[2];
  const [containerPort] = container;
  if (host !== undefined && host.length > 1 && container.length === 1 && containerPort !== undefined) {
    return [{ containerPort, protocol, hostPort: host[0], hostPortEnd: host.at(-1), hostIp: hostIp || undefined }];
  }
  if (host !== undefined && host.length !== container.length) throw invalid(text, "the two ranges differ in length");
  return container.map((containerPort, i) => ({ containerPort, protocol, hostPort: host?.[i], hostIp: hostIp || undefined }));
}

/** Reads one `--expose`: `80`, `53/udp`, `7000-7010`. */
export function parseExpose(text: string): readonly string[] {
  const [ports = "", protocol] = text.split("/", 2);
  return parseRange(text, ports).map((port) => (protocol === undefined ? `${port}` : `${port}/${protocol}`));
}

function parseRange(text: string, range: string): readonly number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(range);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || last > 65535) throw invalid(text, `${JSON.stringify(range)} is not a port or a range of ports`);
  if (last < first) throw invalid(text, `the range ${range} runs backwards`);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function invalid(text: string, why: string): InvalidArgumentError {
  return new InvalidArgumentError(`invalid port ${JSON.stringify(text)}: ${why}.`);
}
