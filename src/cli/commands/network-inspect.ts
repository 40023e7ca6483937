import { Command } from "commander";
import type { NetworkDetails } from "../../runtime/extras.ts";
import type { CliContext } from "../context.ts";
import { fillTemplate, parseFormat } from "../format/template.ts";
import { zeroTime } from "../format/time.ts";
import { networksOf } from "../networks.ts";

export function inspectNetworkCommand(context: CliContext): Command {
  return new Command("inspect")
    .description("Show everything known about networks, as JSON.")
    .argument("<network...>", "names or ids")
    .option("-f, --format <format>", "json, or {{.Field.Field}} placeholders")
    .option("-v, --verbose", "accepted for Docker's sake; everything is shown anyway")
    .action(async (names: readonly string[], options: { readonly format?: string }) => {
      const format = options.format === undefined ? undefined : parseFormat(options.format);
      const networks = networksOf(await context.runtime());
      const records: object[] = [];
      await context.each(names, async (name) => {
        const record = networkRecord(await networks.inspect(name));
        if (format?.kind === "template") context.print(fillTemplate(format.parts, record));
        else records.push(record);
      });
      if (format?.kind === "json") context.print(JSON.stringify(records));
      else if (format?.kind !== "template") context.print(JSON.stringify(records, null, 4));
    });
}

/** A network in the shape of `docker network inspect`. */
function networkRecord(network: NetworkDetails): object {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt?.toISOString() ?? zeroTime,
    Scope: "local",
    Driver: network.driver === "none" ? "null" : network.driver,
    EnableIPv4: true,
    EnableIPv6: network.enableIpv6,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: network.subnets.map(({ subnet, gateway, ipRange }) => ({
        Subnet: subnet,
        ...(ipRange === undefined ? {} : { IPRange: ipRange }),
        Gateway: gateway ?? "",
      })),
    },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      network.containers.map(({ hexId, name = "", macAddress = "", ipv4 = "", ipv6 = "" }) => [
        hexId,
        { Name: name, MacAddress: macAddress, IPv4Address: ipv4, IPv6Address: ipv6 },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
  };
}
