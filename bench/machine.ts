/** Where and when a bench ran. */
import { spawnSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

export interface MachineFacts {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  /** Program → version, of everything that took part. */
  readonly versions: Readonly<Record<string, string>>;
}

export function machineFacts(): MachineFacts {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    versions: { node: process.version.slice(1), dockerd: version("dockerd"), crun: version("crun"), conmon: version("conmon") },
  };
}

function version(program: string): string {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return /\d+\.\d+[\w.+]*/.exec(stdout ?? "")?.[0] ?? "unknown";
}
