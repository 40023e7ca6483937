import type { VolumesFacet } from "../../runtime/extras.ts";
import type { Children } from "./children.ts";
import { facetsOf, firstWith, holderOf } from "./facets.ts";

/** Volumes are made on the primary; everything else finds them where they are. */
export function compositeVolumes(children: Children): VolumesFacet {
  const all = facetsOf(children, ({ extras }) => extras?.volumes);
  const holder = (name: string): Promise<VolumesFacet> => holderOf(all, (volumes) => volumes.inspect(name));
  return {
    create: async (options, o) => await firstWith(all).create(options, o),
    inspect: async (name, o) => await (await holder(name)).inspect(name, o),
    list: async (o) => (await Promise.all(all.map((volumes) => volumes.list(o)))).flat(),
    remove: async (name, o) => {
      // With `force` an unknown one is fine, which is for the backend to say.
      const volumes = o?.force === true ? await holder(name).catch(() => firstWith(all)) : await holder(name);
      await volumes.remove(name, o);
    },
    sync: async (names, o) => {
      if (names === undefined) return (await Promise.all(all.map(async (volumes) => (await volumes.sync?.(undefined, o)) ?? []))).flat();
      const found = [];
      for (const name of names) found.push(...((await (await holder(name)).sync?.([name], o)) ?? []));
      return found;
    },
    prune: async (o) => {
      const results = await Promise.all(all.map((volumes) => volumes.prune(o)));
      return { deleted: results.flatMap(({ deleted }) => deleted), spaceReclaimed: results.reduce((sum, one) => sum + one.spaceReclaimed, 0) };
    },
  };
}
