/** Names of containers on user-defined networks: which they have, and what takes them back when no engine is alive. */
import { writeFileSync } from "node:fs";
import type { ContainerNames } from "../../network/name-server-config.ts";
import { exitScript } from "../../network/name-server.ts";
import { shortId } from "../../spec/container-id.ts";
import type { ContainerRecord, ContainerStore } from "./container-store.ts";
import type { NativeContext } from "./context.ts";

export function containerNames(store: ContainerStore, key: string): ContainerNames | undefined {
  const record = store.get(key);
  if (record === undefined) return undefined;
  const { hexId, name, facts } = record;
  return { hexId, names: [name, shortId(hexId), facts.hostname], dns: facts.spec.dns };
}

/**
 * The exit command of a container that has names: gives them back after `remove`, in the background, since whoever starts the
 * container again waits for this command. Others keep their command as it is, without a shell.
 */
export function withoutNames(ctx: NativeContext, { key, hexId }: ContainerRecord, remove: readonly string[]): readonly string[] {
  if (ctx.network.nameServers(ctx.network.endpoints(key)).length === 0) return remove;
  const file = `${ctx.layout.names}.exit`;
  writeFileSync(file, exitScript);
  const script = 'script=$1; dir=$2; id=$3; shift 3; "$@"; setsid sh "$script" "$dir" "$id" </dev/null >/dev/null 2>&1 &';
  return ["/bin/sh", "-c", script, "sh", file, ctx.layout.names, hexId, ...remove];
}
