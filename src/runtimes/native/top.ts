/** Method 42: the container's processes as the host sees them. */
import { BerthError } from "../../errors.ts";
import { runToEnd } from "../../internal/spawn.ts";
import { findProgram } from "../../oci/probe.ts";
import type { ContainerTopOutput } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { cgroupProcesses } from "./cgroup.ts";
import { mustGet, type NativeContext } from "./context.ts";
import { isProcessColumn, processColumns, processTable } from "./process-table.ts";
import { parsePs, refuseRenamedPid } from "./ps-output.ts";
import { isRunning, settle } from "./run-state.ts";

export async function topContainer(
  ctx: NativeContext,
  id: ContainerId,
  psArgs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ContainerTopOutput> {
  const record = settle(ctx, mustGet(ctx, id));
  refuseRenamedPid(psArgs);
  if (!isRunning(record) || record.run.cgroup === undefined) {
    throw new BerthError("conflict", `container ${record.name} is not running`, { container: record.key });
  }
  const pids = cgroupProcesses(record.run.cgroup);
  if (psArgs.length === 0) return processTable(pids);
  const ps = findProgram("ps");
  return ps === undefined ? withoutPs(pids, psArgs) : withPs(ps, pids, psArgs, signal);
}

async function withPs(ps: string, pids: readonly number[], psArgs: readonly string[], signal: AbortSignal | undefined): Promise<ContainerTopOutput> {
  // Asked for these processes alone; some options go only without that.
  const narrow = await runToEnd(ps, [...psArgs, `-q${pids.join(",")}`], { signal });
  const done = narrow.exitCode === 0 ? narrow : await runToEnd(ps, psArgs, { signal });
  if (done.exitCode !== 0) throw new BerthError("invalid_spec", `ps ${psArgs.join(" ")}: ${done.stderr || `exit code ${done.exitCode}`}`);
  return parsePs(done.stdout, new Set(pids));
}

/** `-o` with well known columns, which /proc tells as well. */
function withoutPs(pids: readonly number[], psArgs: readonly string[]): ContainerTopOutput {
  const [first = "", second, ...more] = psArgs;
  const list = /^-e?o$/.test(first) ? second : /^-e?o(.+)$/.exec(first)?.[1];
  const names = list?.split(",") ?? [];
  if (list === undefined || more.length > 0 || !names.every(isProcessColumn)) {
    throw new BerthError("unsupported", `topContainer: this host has no ps to ask with ${psArgs.join(" ")}; install procps or use -o with plain columns`);
  }
  if (!names.includes("pid")) throw new BerthError("invalid_spec", "ps arguments: the output has no column PID; add pid to the columns");
  return processColumns(pids, names);
}
