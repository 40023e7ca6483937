/** All containers' networks by one statement for each table. */
import { endpointsFrom } from "./allocation.ts";
import type { NetworkContext } from "./context.ts";
import { allMemberships } from "./members.ts";
import { allLeases, allNetworks, allPorts } from "./records.ts";
import type { Endpoint, Membership } from "./types.ts";

export interface NetworkSurvey {
  /** By key. */
  readonly memberships: ReadonlyMap<string, readonly Membership[]>;
  /** By key. */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** Name of a network → its id. */
  readonly ids: ReadonlyMap<string, string>;
}

export function survey(context: NetworkContext): NetworkSurvey {
  const { db } = context;
  const networks = allNetworks(db);
  const byName = new Map(networks.map((network) => [network.name, network]));
  const networkOf = (name: string) => byName.get(name);
  const ports = Map.groupBy(allPorts(db), ({ key }) => key);
  const leases = Map.groupBy(allLeases(db), ({ key }) => key);
  return {
    memberships: allMemberships(db),
    endpoints: new Map([...leases].map(([key, own]) => [key, endpointsFrom(context, { leases: own, ports: ports.get(key) ?? [], networkOf })])),
    ids: new Map(networks.map(({ name, id }) => [name, id])),
  };
}
