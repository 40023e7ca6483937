import { Command } from "commander";
import type { NetworkDetails } from "../../runtime/extras.ts";
import { predefinedNetworks } from "../../spec/network-options.ts";
import type { CliContext } from "../context.ts";
import { type FilterTest, hasLabel, parseFilters } from "../flags/filters.ts";
import { listOption } from "../flags/values.ts";
import { type Row, renderRows } from "../format/rows.ts";
import { networksOf } from "../networks.ts";

interface ListOptions {
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
}

const titles = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
};

export function listNetworksCommand(context: CliContext): Command {
  return new Command("ls")
    .alias("list")
    .description("List networks.")
    .option("-q, --quiet", "print ids only")
    .option("--no-trunc", "print ids whole")
    .addOption(listOption("-f, --filter <key=value>", "name, id, driver, label, scope, type or dangling"))
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (options: ListOptions) => {
      const keep = parseFilters(options.filter ?? [], tests);
      const found = (await networksOf(await context.runtime()).list()).filter(keep);
      const rows = found.map((network) => networkRow(network, !options.trunc));
      if (options.quiet) {
        for (const row of rows) context.print(row["ID"] ?? "");
        return;
      }
      for (const line of renderRows({ titles, columns: ["ID", "Name", "Driver", "Scope"], rows }, options.format)) context.print(line);
    });
}

function networkRow({ id, name, driver, enableIpv6, internal, labels, createdAt }: NetworkDetails, full: boolean): Row {
  return {
    ID: full ? id : id.slice(0, 12),
    Name: name,
    Driver: driver === "none" ? "null" : driver,
    Scope: "local",
    IPv6: String(enableIpv6),
    Internal: String(internal),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    CreatedAt: createdAt?.toISOString() ?? "",
  };
}

const tests: Readonly<Record<string, FilterTest<NetworkDetails>>> = {
  name: (value) => (network) => network.name.includes(value),
  id: (value) => (network) => network.id.includes(value),
  driver: (value) => (network) => networkRow(network, true)["Driver"] === value,
  label: (value) => (network) => hasLabel(network.labels, value),
  scope: (value) => () => value === "local",
  type: (value) => (network) => (value === "builtin") === predefinedNetworks.includes(network.name),
  dangling: (value) => (network) => (network.containers.length === 0 && !predefinedNetworks.includes(network.name)) === (value === "true" || value === "1"),
};
