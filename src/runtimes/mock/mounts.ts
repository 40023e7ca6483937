/** What is mounted into a container of the mock. */
import type { Container } from "./container.ts";
import type { FileMount, Files } from "./file-tree.ts";
import type { World } from "./world.ts";

/** Volumes always; a tmpfs while it runs. */
export function mountsOf(world: World, container: Container): readonly FileMount[] {
  const anonymous = [...container.volumes].map(([target, { files }]) => ({ target, files, readonly: false }));
  const others = container.spec.storage.flatMap((entry): FileMount[] => {
    if (entry.type === "named")
      return [{ target: entry.target, files: world.volumes.take(entry.name, container.setup.hexId).files, readonly: entry.readonly === true }];
    const memory = entry.type === "tmpfs" ? container.memory.get(entry.target) : undefined;
    return memory === undefined ? [] : [{ target: entry.target, files: memory, readonly: false }];
  });
  return [...anonymous, ...others];
}

/** Files of the image, which a container begins with. */
export function lowerFiles(container: Container): Files {
  return container.setup.image.files ?? new Map();
}

/** Empty at every start. */
export function mountMemory(container: Container): void {
  container.memory.clear();
  for (const entry of container.spec.storage) if (entry.type === "tmpfs") container.memory.set(entry.target, new Map());
}
