import { totalmem } from "node:os";
import type { RuntimeContainerSummary, StatsSample } from "../../runtime/types.ts";
import { shownId } from "./container-row.ts";
import type { Row } from "./rows.ts";
import { binarySize, decimalSize } from "./size.ts";

export const statsTitles = {
  ID: "CONTAINER ID",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
} as const;

export const statsColumns = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"] as const;

/** One line of `stats`; dashes while there is no sample. */
export function statsRow(container: RuntimeContainerSummary, before: StatsSample | undefined, last: StatsSample | undefined, full: boolean): Row {
  const who = { ID: shownId(container, full), Name: container.name ?? container.runtimeId };
  if (last === undefined) return { ...who, CPUPerc: "--", MemUsage: "-- / --", MemPerc: "--", NetIO: "-- / --", BlockIO: "-- / --", PIDs: "--" };
  // Without a limit of its own a container can take all the host has.
  const limit = last.memLimitBytes || totalmem();
  return {
    ...who,
    CPUPerc: `${cpuPercent(before, last).toFixed(2)}%`,
    MemUsage: `${binarySize(last.memUsedBytes)} / ${binarySize(limit)}`,
    MemPerc: `${((last.memUsedBytes / limit) * 100).toFixed(2)}%`,
    NetIO: `${decimalSize(last.netRxBytes)} / ${decimalSize(last.netTxBytes)}`,
    BlockIO: `${decimalSize(last.blkioReadBytes)} / ${decimalSize(last.blkioWriteBytes)}`,
    PIDs: String(last.pidsCurrent),
  };
}

/** 100 = one core (contract 1.6, "Docker style"); 0 without an earlier sample. */
export function cpuPercent(before: StatsSample | undefined, last: StatsSample): number {
  if (before === undefined) return 0;
  const system = last.cpuSystemNs - before.cpuSystemNs;
  const used = last.cpuTotalNs - before.cpuTotalNs;
  return system > 0 && used > 0 ? (used / system) * last.onlineCpus * 100 : 0;
}
