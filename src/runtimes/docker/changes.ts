/** Method 43. */
import type { FilesystemChange } from "../../docker-api/containers.ts";
import type { ContainerInspect } from "../../docker-api/container-inspect.ts";
import type { Received } from "../../docker-api/received.ts";
import type { FilesystemChangeEntry } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { inspectEngine } from "./lifecycle.ts";
import { entries, items, text } from "./read.ts";

const kinds = ["modified", "added", "deleted"] as const;

export async function changesOf(ctx: DockerContext, id: ContainerId, signal: AbortSignal | undefined): Promise<readonly FilesystemChangeEntry[]> {
  return await ctx.ids.use(id, signal, async ({ engineId }) => {
    const [found, inspected] = await Promise.all([
      ctx.client.list<FilesystemChange>("GET", `/containers/${engineId}/changes`, { signal }),
      inspectEngine(ctx, engineId, signal),
    ]);
    const all = found.flatMap((change): FilesystemChangeEntry[] => {
      const [path, kind] = [text(change.Path), kinds[change.Kind ?? 0]];
      return path === undefined || kind === undefined ? [] : [{ path, kind }];
    });
    return withoutMountPoints(all, mountPoints(inspected)).sort((a, b) => (a.path < b.path ? -1 : 1));
  });
}

function mountPoints({ Mounts: mounts, HostConfig: host }: Received<ContainerInspect>): readonly string[] {
  return [...items(mounts).flatMap(({ Destination: path }) => text(path) ?? []), ...entries(host?.Tmpfs).map(([path]) => path)].map(trimmed);
}

function trimmed(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}

/** An engine makes the directories it mounts on in the container's own layer; they are nothing the container did. */
function withoutMountPoints(changes: readonly FilesystemChangeEntry[], mounts: readonly string[]): FilesystemChangeEntry[] {
  const made = new Set(mounts.flatMap(withParents));
  const ownParents = new Set(changes.filter(({ path, kind }) => kind === "deleted" || !made.has(path)).flatMap(({ path }) => withParents(path)));
  return changes.filter(({ path }) => !made.has(path) || ownParents.has(path));
}

/** `/a/b` → `/a/b`, `/a`. */
function withParents(path: string): readonly string[] {
  const parents: string[] = [];
  for (let rest = path; rest !== ""; rest = rest.slice(0, rest.lastIndexOf("/"))) parents.push(rest);
  return parents;
}
