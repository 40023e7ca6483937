/** Everyday scenarios as data: what a client does and a user would notice. The same list runs against Berth and against dockerd. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type CommandOptions, type CommandResult, runCommand } from "./docker-cli.ts";

export interface ScenarioContext {
  /** `unix:///…` */
  readonly endpoint: string;
  readonly socket: string;
  /** A busybox, already in the engine's store. */
  readonly image: string;
  /** A registry that wants a password, with `private:latest` in it. */
  readonly guarded: { readonly host: string; readonly image: string; readonly username: string; readonly password: string };
  /** A directory of the scenario's own on this host. */
  readonly directory: string;
  /** A name that no other scenario uses. */
  readonly name: string;
  /** Runs the docker command and answers what it did. */
  docker(args: readonly string[], o?: CommandOptions): Promise<CommandResult>;
  /** The same; anything but exit code 0 fails. Answers stdout without the last newline. */
  ok(args: readonly string[], o?: CommandOptions): Promise<string>;
}

export interface Scenario {
  readonly name: string;
  readonly run: (t: ScenarioContext) => Promise<void>;
}

export function dockerOf(endpoint: string, configDirectory: string): Pick<ScenarioContext, "docker" | "ok"> {
  const docker = (args: readonly string[], o: CommandOptions = {}): Promise<CommandResult> =>
    runCommand("docker", args, { ...o, env: { DOCKER_HOST: endpoint, DOCKER_CONFIG: configDirectory, ...o.env } });
  return {
    docker,
    ok: async (args, o) => {
      const { code, stdout, stderr } = await docker(args, o);
      assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}${stdout}`);
      return stdout.replace(/\n$/, "");
    },
  };
}

/** Waits until `look` answers true. */
export async function until(what: string, look: () => Promise<boolean> | boolean, limitMs = Number(process.env["UNTIL_MS"] ?? 60_000)): Promise<void> {
  for (const deadline = Date.now() + limitMs; !(await look()); ) {
    if (Date.now() > deadline) throw new Error(`never came true: ${what}`);
    await sleep(50);
  }
}
