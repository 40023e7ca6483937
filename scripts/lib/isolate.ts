/**
 * Runs a program again in net, mount and pid namespaces of its own. Bridges, firewall rules, mounts and processes it leaves
 * behind go with the namespaces, also when it is killed; and two engines inside meet nothing of the host's.
 */
import { spawnSync } from "node:child_process";

const marker = "BERTH_ISOLATED";

/** True when this process is already the isolated one. */
export function isIsolated(): boolean {
  return process.env[marker] === "1";
}

/** Runs this very program again inside the namespaces and answers its exit code. Needs root. */
export function runIsolated(): number {
  const [program = "", ...args] = isolated([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
  const done = spawnSync(program, args, { stdio: "inherit", env: isolatedEnvironment() });
  if (done.error) throw done.error;
  return done.status ?? 1;
}

/** The command that runs `command` inside namespaces of its own. */
export function isolated(command: readonly string[]): string[] {
  // The shell stays as process 1: it reaps what loses its parent in there, which Node would not.
  const script = 'ip link set lo up && "$@"; exit $?';
  return ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh", ...command];
}

/** Extra certificates cost every Node child tens of milliseconds, and nothing inside speaks TLS. */
export function isolatedEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  return { ...environment, [marker]: "1" };
}
