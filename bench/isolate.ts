/**
 * Runs the bench in namespaces of its own. Two engines that both want bridges, firewall rules and mounts then meet neither
 * each other's leftovers nor the host's, and whatever is left at the end goes with the namespaces: also after a crash.
 */
import { spawnSync } from "node:child_process";

const marker = "BERTH_BENCH_ISOLATED";

/** True when this process is already the isolated one. */
export function isIsolated(): boolean {
  return process.env[marker] === "1";
}

/** Runs this very program again inside new net, mount and pid namespaces and answers its exit code. */
export function runIsolated(): number {
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const script = 'ip link set lo up && exec "$@"';
  const args = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh", ...again];
  const done = spawnSync("unshare", args, { stdio: "inherit", env: isolatedEnvironment() });
  if (done.error) throw done.error;
  return done.status ?? 1;
}

/** Extra certificates cost every Node child tens of milliseconds and no part of the bench speaks TLS. */
function isolatedEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;
  return { ...environment, [marker]: "1" };
}
