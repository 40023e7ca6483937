import { Command, InvalidArgumentError } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";
import { parseCpus, parseInteger, parseSize, parseSizeOrUnlimited, splitOnce } from "../flags/values.ts";
import type { ContainerResourceUpdate } from "../../runtime/resource-update.ts";

interface UpdateFlags {
  readonly blkioWeight?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuRtPeriod?: number;
  readonly cpuRtRuntime?: number;
  readonly cpuShares?: number;
  readonly cpus?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly kernelMemory?: number;
  readonly memory?: number;
  readonly memoryReservation?: number;
  readonly memorySwap?: number;
  readonly pidsLimit?: number;
  readonly restart?: string;
}

export function updateCommand(context: CliContext): Command {
  return new Command("update")
    .argument("<container...>", "names or ids")
    .option("--blkio-weight <weight>", "share of block I/O, 10 to 1000", parseInteger)
    .option("--cpu-period <µs>", "period over which --cpu-quota counts", parseInteger)
    .option("--cpu-quota <µs>", "processor time in a period; -1 is unlimited", parseInteger)
    .option("--cpu-rt-period <µs>", "accepted and ignored", parseInteger)
    .option("--cpu-rt-runtime <µs>", "accepted and ignored", parseInteger)
    .option("-c, --cpu-shares <shares>", "share of processor time against other containers", parseInteger)
    .option("--cpus <number>", "number of processors, as 1.5", parseCpus)
    .option("--cpuset-cpus <list>", "processors to use, as 0-2,4")
    .option("--cpuset-mems <list>", "memory nodes to use, as 0,1")
    .option("--kernel-memory <size>", "accepted and ignored", parseSize)
    .option("-m, --memory <size>", "memory limit", parseSize)
    .option("--memory-reservation <size>", "memory kept for it when there is little", parseSize)
    .option("--memory-swap <size>", "memory plus swap; -1 is unlimited swap", parseSizeOrUnlimited)
    .option("--pids-limit <number>", "number of processes; -1 is unlimited", parseInteger)
    .option("--restart <policy>", "no, always, unless-stopped or on-failure[:attempts]")
    .action(async (names: readonly string[], flags: UpdateFlags) => {
      const update = updateOf(flags);
      if (Object.values(update).every((value) => value === undefined)) {
        throw new InvalidArgumentError("there is nothing to update; give a limit or --restart.");
      }
      const runtime = await context.runtime();
      await context.each(names, async (name) => {
        const { containerId } = await resolveContainer(runtime, name);
        const { warnings } = await runtime.updateContainerResources(containerId, update);
        context.print(name);
        for (const warning of warnings) context.warn(warning);
      });
    });
}

function updateOf(flags: UpdateFlags): ContainerResourceUpdate {
  if (flags.cpus !== undefined && (flags.cpuPeriod !== undefined || flags.cpuQuota !== undefined)) {
    throw new InvalidArgumentError("--cpus sets period and quota; it does not go with --cpu-period and --cpu-quota.");
  }
  return {
    blkioWeight: flags.blkioWeight,
    cpuPeriod: flags.cpus === undefined ? flags.cpuPeriod : 100_000,
    cpuQuota: flags.cpus === undefined ? flags.cpuQuota : Math.floor(flags.cpus * 100_000),
    cpuRealtimePeriod: flags.cpuRtPeriod,
    cpuRealtimeRuntime: flags.cpuRtRuntime,
    cpuShares: flags.cpuShares,
    cpusetCpus: flags.cpusetCpus,
    cpusetMems: flags.cpusetMems,
    kernelMemory: flags.kernelMemory,
    memory: flags.memory,
    memoryReservation: flags.memoryReservation,
    memorySwap: flags.memorySwap,
    pidsLimit: flags.pidsLimit,
    restartPolicy: flags.restart === undefined ? undefined : policyOf(flags.restart),
  };
}

function policyOf(text: string): NonNullable<ContainerResourceUpdate["restartPolicy"]> {
  const [word, attempts] = splitOnce(text, ":");
  const name = (["no", "always", "unless-stopped", "on-failure"] as const).find((known) => known === word);
  if (name === undefined)
    throw new InvalidArgumentError(`${JSON.stringify(text)} is no restart policy; there are no, always, unless-stopped, on-failure[:attempts].`);
  return attempts === undefined ? { name } : { name, maximumRetryCount: parseInteger(attempts) };
}
