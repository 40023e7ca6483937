import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import { isBerthError } from "../../errors.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { collectLabels } from "../flags/environment.ts";
import { connectOptions, parseSubnets } from "../flags/networks.ts";
import { listOption, splitOnce } from "../flags/values.ts";
import { networksOf } from "../networks.ts";
import { confirm } from "../terminal/confirm.ts";
import { pruneFilter } from "./container.ts";
import { inspectNetworkCommand } from "./network-inspect.ts";
import { listNetworksCommand } from "./network-ls.ts";

export function networkCommand(context: CliContext): Command {
  const command = new Command("network");
  for (const make of [createCommand, listNetworksCommand, inspectNetworkCommand, connectCommand, disconnectCommand, removeCommand, pruneCommand]) {
    command.addCommand(make(context));
  }
  return command;
}

interface CreateOptions {
  readonly driver: string;
  readonly subnet?: readonly string[];
  readonly gateway?: readonly string[];
  readonly ipRange?: readonly string[];
  readonly internal?: boolean;
  readonly ipv6?: boolean;
  readonly label?: readonly string[];
  readonly opt?: readonly string[];
}

function createCommand(context: CliContext): Command {
  return new Command("create")
    .description("Create a network.")
    .argument("<network>", "name")
    .option("-d, --driver <driver>", "there is bridge", "bridge")
    .addOption(listOption("--subnet <subnet>", "such as 10.1.0.0/24 or fd00:1::/64; one of each family"))
    .addOption(listOption("--gateway <ip>", "the host's address in a subnet"))
    .addOption(listOption("--ip-range <subnet>", "where addresses are taken from"))
    .option("--internal", "no way out of the network")
    .option("--ipv6", "give IPv6 addresses too")
    .option("--attachable", "accepted for Docker's sake; every network is")
    .addOption(listOption("--label <key[=value]>", "attach a label"))
    .addOption(listOption("-o, --opt <key=value>", "option of the driver, such as com.docker.network.driver.mtu=1400"))
    .action(async (name: string, options: CreateOptions) => {
      const subnets = parseSubnets({ subnets: options.subnet ?? [], gateways: options.gateway ?? [], ranges: options.ipRange ?? [] });
      const networks = networksOf(await context.runtime());
      const made = await networks.create({
        name,
        driver: options.driver as "bridge",
        internal: options.internal,
        enableIpv6: options.ipv6,
        subnets,
        labels: collectLabels(options.label ?? [], []),
        options: Object.fromEntries((options.opt ?? []).map((text) => [splitOnce(text, "=")[0], splitOnce(text, "=")[1] ?? ""])),
      });
      context.print(made.id);
    });
}

interface ConnectFlags {
  readonly alias?: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
}

function connectCommand(context: CliContext): Command {
  return new Command("connect")
    .description("Connect a container to a network, also while it runs.")
    .argument("<network>", "name or id")
    .argument("<container>", "name or id")
    .addOption(listOption("--alias <name>", "a further name within the network"))
    .option("--ip <ip>", "fixed IPv4 address")
    .option("--ip6 <ip>", "fixed IPv6 address")
    .action(async (network: string, name: string, flags: ConnectFlags) => {
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      await networksOf(runtime).connect(network, containerId, connectOptions(flags));
    });
}

function disconnectCommand(context: CliContext): Command {
  return new Command("disconnect")
    .description("Disconnect a container from a network, also while it runs.")
    .argument("<network>", "name or id")
    .argument("<container>", "name or id")
    .option("-f, --force", "do not ask the container; it is not asked anyway")
    .action(async (network: string, name: string, options: { readonly force?: boolean }) => {
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      await networksOf(runtime).disconnect(network, containerId, { force: options.force });
    });
}

function removeCommand(context: CliContext): Command {
  return new Command("rm")
    .alias("remove")
    .description("Remove networks.")
    .argument("<network...>", "names or ids")
    .option("-f, --force", "unknown ones are no error")
    .action(async (names: readonly string[], options: { readonly force?: boolean }) => {
      const networks = networksOf(await context.runtime());
      await context.each(names, async (name) => {
        try {
          await networks.remove(name);
        } catch (cause) {
          if (!isBerthError(cause, "not_found")) throw cause;
          if (options.force) return;
          throw new CliError(`No such network: ${name}`, 1, { cause });
        }
        context.print(name);
      });
    });
}

function pruneCommand(context: CliContext): Command {
  return new Command("prune")
    .description("Remove all networks that no container is in.")
    .option("-f, --force", "do not ask")
    .addOption(listOption("--filter <filter>", "until=<instant>, label=<key>[=<value>], label!=<key>=<value>"))
    .action(async (options: { readonly force?: boolean; readonly filter?: readonly string[] }) => {
      const filter = pruneFilter(options.filter ?? []);
      const warning = "WARNING! This will remove all custom networks not used by at least one container.";
      if (!options.force && !(await confirm(context.host, warning))) return;
      const { deleted } = await networksOf(await context.runtime()).prune({ ...filter, signal: context.interruption().signal });
      if (deleted.length > 0) context.print(`Deleted Networks:\n${deleted.join("\n")}\n`);
    });
}
