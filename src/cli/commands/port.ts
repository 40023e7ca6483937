import { Command, InvalidArgumentError } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { PortMappingEntry } from "../../runtime/types.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";

export function portCommand(context: CliContext): Command {
  return new Command("port")
    .argument("<container>", "name or id")
    .argument("[port[/protocol]]", "port in the container; default: all")
    .action(async (name: string, wanted: string | undefined) => {
      const port = wanted === undefined ? undefined : parsePort(wanted);
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      const entries = await runtime.portMappingsContainer(containerId);
      if (port === undefined) {
        for (const entry of entries) context.print(`${entry.containerPort}/${entry.protocol} -> ${address(entry)}`);
        return;
      }
      const found = entries.filter((entry) => entry.containerPort === port.number && entry.protocol === port.protocol);
      if (found.length === 0) throw new CliError(`no public port '${port.number}/${port.protocol}' published for ${name}`);
      for (const entry of found) context.print(address(entry));
    });
}

function parsePort(text: string): { readonly number: number; readonly protocol: string } {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError(`${JSON.stringify(text)} is not a port; expected something like 80 or 53/udp.`);
  return { number: Number(match[1]), protocol: (match[2] ?? "tcp").toLowerCase() };
}

function address({ hostIp = "0.0.0.0", hostPort = 0 }: PortMappingEntry): string {
  return `${hostIp.includes(":") ? `[${hostIp}]` : hostIp}:${hostPort}`;
}
