import { BerthError } from "../../errors.ts";
import type { ContainerTopOutput } from "../../runtime/types.ts";
import type { Container } from "./container.ts";
import type { World } from "./world.ts";

const titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"] as const;

/** Method 42: default columns, and those of `-ef`; `-o` with plain columns. */
export function top(world: World, container: Container, psArgs: readonly string[]): ContainerTopOutput {
  if (/(?:^|[\s,])(?!pid=)[^\s,=-]*=\s*PID/.test(psArgs.join(" "))) throw new BerthError("invalid_spec", "ps arguments: PID names the column of process ids");
  const run = container.mustRun("look into");
  const wanted = columns(psArgs);
  if (!wanted.includes("PID")) throw new BerthError("invalid_spec", "ps arguments: the output has no column PID; add pid to the columns");
  const stime = (container.startedAt ?? world.clock.now()).toTimeString().slice(0, 5);
  const row = (pid: number, argv: readonly string[]): Readonly<Record<string, string>> => ({
    UID: container.spec.user ?? "root",
    PID: String(pid),
    PPID: "1",
    C: "0",
    STIME: stime,
    TTY: "?",
    TIME: "00:00:00",
    CMD: argv.join(" "),
    COMMAND: argv[0] ?? "",
  });
  const rows = [row(run.pid, run.process.argv), ...[...run.execs].map((exec, index) => row(run.pid + 100_000 + index, exec.argv))];
  return { titles: wanted, processes: rows.map((cells) => wanted.map((title) => cells[title] ?? "")) };
}

function columns(psArgs: readonly string[]): readonly string[] {
  if (psArgs.length === 0 || psArgs[0] === "-ef") return titles;
  const list = psArgs[0] === "-o" ? (psArgs[1] ?? "").split(",") : [];
  return list.map((name) => (name === "comm" ? "COMMAND" : name.toUpperCase()));
}
