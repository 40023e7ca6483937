/** The OCI runtime with nothing around it: a bundle on disk and one child process per call. */
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface BareRuntime {
  /** `run`: creates, starts, waits, deletes. */
  run(id: string): Promise<void>;
  exec(id: string, command: readonly string[]): Promise<void>;
  /** Starts a container that sleeps, and answers how to end it. */
  startSleeping(id: string): Promise<() => Promise<void>>;
}

export function bareRuntime(program: string, dir: string): BareRuntime {
  const [once, sleeping] = [makeBundle(program, join(dir, "true"), ["/bin/true"]), makeBundle(program, join(dir, "sleep"), ["/bin/sleep", "3600"])];
  const root = ["--root", join(dir, "state")];
  return {
    run: (id) => succeed(program, [...root, "run", "--bundle", once, id]),
    exec: (id, command) => succeed(program, [...root, "exec", id, ...command]),
    startSleeping: async (id) => {
      await succeed(program, [...root, "run", "--detach", "--bundle", sleeping, id]);
      return () => succeed(program, [...root, "delete", "--force", id]);
    },
  };
}

function makeBundle(program: string, bundle: string, args: readonly string[]): string {
  const bin = join(bundle, "rootfs", "bin");
  mkdirSync(bin, { recursive: true });
  copyFileSync("/bin/busybox", join(bin, "busybox"));
  for (const name of ["true", "sh", "sleep"]) symlinkSync("busybox", join(bin, name));
  execFileSync(program, ["spec"], { cwd: bundle });
  const spec = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
  spec.process = { ...spec.process, args, terminal: false };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  return bundle;
}

function succeed(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${args.join(" ")}: exit code ${code}`))));
  });
}
