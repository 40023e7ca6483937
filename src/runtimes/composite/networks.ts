import { BerthError } from "../../errors.ts";
import type { NetworksFacet } from "../../runtime/extras.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { Children } from "./children.ts";
import { facetsOf, firstWith, holderOf } from "./facets.ts";
import type { Owners } from "./owners.ts";

/** Networks are made on the primary; a container joins those of the backend it is on. */
export function compositeNetworks(children: Children, owners: Owners): NetworksFacet {
  const all = facetsOf(children, ({ extras }) => extras?.networks);
  const holder = (name: string): Promise<NetworksFacet> => holderOf(all, (networks) => networks.inspect(name));
  const ofOwner = async (id: ContainerId): Promise<NetworksFacet> => {
    const owner = owners.known(id) ?? (await owners.find(id));
    const networks = owner.runtime.extras?.networks;
    if (networks === undefined) {
      throw new BerthError("unsupported", `container ${containerIdToString(id)} is on the ${owner.name} backend, which has no networks to join`);
    }
    return networks;
  };
  return {
    create: async (options, o) => await firstWith(all).create(options, o),
    inspect: async (name, o) => await (await holder(name)).inspect(name, o),
    list: async (o) => (await Promise.all(all.map((networks) => networks.list(o)))).flat(),
    remove: async (name, o) => await (await holder(name)).remove(name, o),
    connect: async (name, id, options, o) => await (await ofOwner(id)).connect(name, id, options, o),
    disconnect: async (name, id, o) => await (await ofOwner(id)).disconnect(name, id, o),
    prune: async (o) => ({ deleted: (await Promise.all(all.map((networks) => networks.prune(o)))).flatMap(({ deleted }) => deleted) }),
  };
}
