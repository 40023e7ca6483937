/** What a container's processes run with, out of image config and spec (contract 1.3.1). */
import { BerthError } from "../../errors.ts";
import type { ContainerConfig } from "../../spec/image-config.ts";
import type { CommandSpec } from "../../spec/service-spec.ts";

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Docker's rules; an empty argv is `invalid_spec`. */
export function resolveArgv(image: ContainerConfig, command: CommandSpec): readonly string[] {
  const { entrypoint, args } = command;
  const argv = entrypoint === undefined ? [...image.entrypoint, ...(args ?? image.cmd)] : [...entrypoint, ...(args ?? [])];
  if (argv.length === 0) {
    throw new BerthError("invalid_spec", "no command: neither the image nor the spec says what to run; set command.args");
  }
  return argv;
}

/** Image ENV, then defaults, then the spec's variables. */
export function resolveEnv(o: {
  readonly image: readonly string[];
  readonly spec: Readonly<Record<string, string>>;
  readonly hostname: string;
  readonly tty: boolean;
}): Readonly<Record<string, string>> {
  const image = parseEnv(o.image);
  const defaults = { PATH: image["PATH"] ?? defaultPath, HOSTNAME: o.hostname, HOME: image["HOME"] ?? "/root", ...(o.tty ? { TERM: "xterm" } : {}) };
  return { ...image, ...defaults, ...o.spec };
}

/** `KEY=VALUE` texts; what has no `=` is the empty value. */
export function parseEnv(entries: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf("=");
      return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
