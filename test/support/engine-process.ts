/** What the private engines of tests have in common: a process that answers on a socket, and what it leaves. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";

const readyWithinMs = 90_000;
const stopWithinMs = 30_000;

/** Throws when it ends before, or takes too long. */
export async function untilItAnswers(child: ChildProcess, socket: string): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    if (await answersPing(socket)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("no answer");
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path: "/_ping", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("error", () => resolve(false));
  });
}

/** Kills it when it takes too long. Idempotent. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), stopWithinMs);
  await gone;
  clearTimeout(timer);
}

/** What a container that would not end has left mounted, in the namespaces of this test. Last mounted first. */
export function unmountBelow(dir: string): void {
  const targets = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((target) => target.startsWith(`${dir}/`));
  for (const target of targets.reverse()) spawnSync("umount", ["-l", target]);
}

/** From all hierarchies. */
export function removeControlGroup(name: string): void {
  const base = "/sys/fs/cgroup";
  const hierarchies = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const parent of [base, ...hierarchies.map((entry) => join(base, entry.name))]) removeGroups(join(parent, name));
}

/** Deepest first. A group that still holds a process stays; the namespaces take that with them. */
function removeGroups(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeGroups(join(path, entry.name));
  try {
    rmdirSync(path);
  } catch {
    // Busy.
  }
}
