/** The main process of a container: argv, directory and environment (contract 1.3.1). */
import { BerthError } from "../errors.ts";
import type { ContainerConfig } from "../spec/image-config.ts";
import type { CommandSpec } from "../spec/service-spec.ts";

export const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Docker's rules: an entrypoint drops the image's CMD, args replace only CMD, empty lists clear. Throws `invalid_spec` when nothing is left. */
export function resolveArgv(command: CommandSpec, image: Pick<ContainerConfig, "entrypoint" | "cmd">): readonly string[] {
  const entrypoint = command.entrypoint ?? image.entrypoint;
  const args = command.args ?? (command.entrypoint === undefined ? image.cmd : []);
  const argv = [...(isCleared(entrypoint) ? [] : entrypoint), ...args];
  if (argv.length === 0) {
    throw new BerthError("invalid_spec", "no command: the image has neither ENTRYPOINT nor CMD; set command.entrypoint or command.args");
  }
  return argv;
}

/** `[""]` is how Docker's CLI writes an empty entrypoint. */
function isCleared(entrypoint: readonly string[]): boolean {
  return entrypoint.length === 1 && entrypoint[0] === "";
}

export function resolveWorkdir(command: CommandSpec, image: Pick<ContainerConfig, "workingDir">): string {
  const directory = command.workdir ?? image.workingDir ?? "/";
  return directory.startsWith("/") ? directory : `/${directory}`;
}

export interface EnvironmentInput {
  /** `KEY=VALUE` of the image. */
  readonly image: readonly string[];
  readonly hostname: string;
  readonly home: string;
  readonly tty: boolean;
  /** The spec's, with references resolved. */
  readonly spec: Readonly<Record<string, string>>;
  readonly injected?: Readonly<Record<string, string>> | undefined;
}

/** `KEY=VALUE`. Defaults fill what the image leaves open; the spec wins over both, what the engine injects over all. */
export function buildEnvironment(o: EnvironmentInput): readonly string[] {
  const env = new Map<string, string>([
    ["PATH", defaultPath],
    ["HOSTNAME", o.hostname],
  ]);
  if (o.tty) env.set("TERM", "xterm");
  env.set("HOME", o.home);
  addVariables(env, o.image);
  for (const [name, value] of Object.entries({ ...o.spec, ...o.injected })) env.set(name, value);
  return [...env].map(([name, value]) => `${name}=${value}`);
}

/** Entries without `=` are none, as in the image spec; NUL would cut the string in the kernel. */
function addVariables(env: Map<string, string>, entries: readonly string[]): void {
  for (const entry of entries) {
    const equals = entry.indexOf("=");
    if (equals > 0 && !entry.includes("\0")) env.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
}

/** Later entries win; an entry without `=` removes the variable, as in Docker. */
export function mergeEnvironment(base: readonly string[], changes: readonly string[]): readonly string[] {
  const env = new Map<string, string>();
  addVariables(env, base);
  for (const change of changes) {
    if (change.includes("=")) addVariables(env, [change]);
    else env.delete(change);
  }
  return [...env].map(([name, value]) => `${name}=${value}`);
}
