/** `extras.networks`. */
import { EngineError } from "../../docker-api/engine-error.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import type { NetworkConnectBody, NetworkCreateBody, NetworkCreated, NetworkInspect, NetworksPruned } from "../../docker-api/networks.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError } from "../../errors.ts";
import type { NetworkConnectOptions, NetworkCreateOptions, NetworkDetails, NetworksFacet } from "../../runtime/extras.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContainerSummary } from "../../docker-api/containers.ts";
import type { DockerContext } from "./context.ts";
import { idLabel, ownIdOf } from "./labels.ts";
import { pruneFilters } from "./prune-filters.ts";
import { entries, instant, items, stringRecord, text, texts } from "./read.ts";

const predefined: readonly string[] = ["bridge", "host", "none"];

export function networksFacet(ctx: DockerContext): NetworksFacet {
  const details = async (nameOrId: string, signal?: AbortSignal): Promise<NetworkDetails> => {
    const found = await aboutNetwork(nameOrId, (path) => ctx.client.object<NetworkInspect>("GET", path, { signal }));
    return detailsOf(found, await idsByEngineId(ctx, signal));
  };
  return {
    create: async (options) => details(await createNetwork(ctx, options)),
    inspect: (nameOrId, o) => details(nameOrId, o?.signal),
    list: async (o) => {
      const found = await ctx.client.list<NetworkInspect>("GET", "/networks", { signal: o?.signal });
      // The list leaves out who is connected.
      const all = await Promise.all(found.map((one) => details(text(one.Id) ?? "", o?.signal).catch(ifGone)));
      return all.filter((one) => one !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    remove: async (nameOrId) => {
      if (predefined.includes(nameOrId)) throw new BerthError("conflict", `network ${nameOrId} is predefined and cannot be removed`);
      await aboutNetwork(nameOrId, (path) => ctx.client.done("DELETE", path));
    },
    connect: (nameOrId, id, options) => connect(ctx, nameOrId, id, options ?? {}),
    disconnect: async (nameOrId, id, o) => {
      await ctx.ids.use(id, undefined, ({ engineId }) =>
        aboutNetwork(nameOrId, (path) => ctx.client.done("POST", `${path}/disconnect`, { json: { Container: engineId, Force: o?.force === true } })),
      );
    },
    prune: async (o) => {
      const { label, notLabel } = pruneFilters(o?.labels ?? []);
      const until = o?.until === undefined ? [] : [String(o.until.getTime() / 1000)];
      const pruned = await ctx.client.object<NetworksPruned>("POST", "/networks/prune", {
        query: { filters: encodeFilters({ label, "label!": notLabel, until }) },
      });
      return { deleted: texts(pruned.NetworksDeleted) };
    },
  };
}

function ifGone(thrown: unknown): undefined {
  if (thrown instanceof BerthError && thrown.code === "not_found") return undefined;
  throw thrown;
}

async function aboutNetwork<T>(nameOrId: string, call: (path: string) => Promise<T>): Promise<T> {
  if (nameOrId === "") throw new BerthError("invalid_spec", "a network needs a name or an id");
  try {
    return await call(`/networks/${pathPart(nameOrId)}`);
  } catch (thrown) {
    throw networkFailure(nameOrId, thrown);
  }
}

/** dockerd says 403 for what is in use or predefined, and for a double connection. */
function networkFailure(nameOrId: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const { status, engineMessage } = thrown;
  if (status === 404 && !/no such container/i.test(engineMessage))
    return new BerthError("not_found", `no network ${nameOrId} on this engine`, { id: nameOrId, cause: thrown });
  const conflict = /active endpoints|has (active|associated) |pre-defined|already exists in network|already connected|is not connected|ambiguous|being used/i;
  return conflict.test(engineMessage) ? new BerthError("conflict", engineMessage, { id: nameOrId, cause: thrown }) : thrown;
}

async function createNetwork(ctx: DockerContext, o: NetworkCreateOptions): Promise<string> {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(o.name)) throw new BerthError("invalid_spec", `${JSON.stringify(o.name)} is not a network name`);
  const pools = (o.subnets ?? []).map(({ subnet, gateway, ipRange }) => ({
    Subnet: subnet,
    ...(gateway === undefined ? {} : { Gateway: gateway }),
    ...(ipRange === undefined ? {} : { IPRange: ipRange }),
  }));
  const body: NetworkCreateBody = {
    Name: o.name,
    CheckDuplicate: true,
    Driver: o.driver ?? "bridge",
    Internal: o.internal === true,
    EnableIPv6: o.enableIpv6 === true,
    ...(pools.length === 0 ? {} : { IPAM: { Driver: "default", Config: pools } }),
    Options: o.options ?? {},
    Labels: o.labels ?? {},
  };
  try {
    const created = await ctx.client.object<NetworkCreated>("POST", "/networks/create", { json: body });
    return text(created.Id) ?? o.name;
  } catch (thrown) {
    throw creationFailure(o, thrown);
  }
}

function creationFailure(o: NetworkCreateOptions, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const { engineMessage } = thrown;
  if (/already exists|pre-defined/i.test(engineMessage)) return new BerthError("conflict", `network ${o.name}: ${engineMessage}`, { cause: thrown });
  if (/overlaps|non-overlapping/i.test(engineMessage)) return new BerthError("conflict", `network ${o.name}: ${engineMessage}`, { cause: thrown });
  if (/invalid|bad|no matching subnet|does not (match|contain)/i.test(engineMessage))
    return new BerthError("invalid_spec", `network ${o.name}: ${engineMessage}`, { cause: thrown });
  return thrown;
}

async function connect(ctx: DockerContext, nameOrId: string, id: ContainerId, o: NetworkConnectOptions): Promise<void> {
  const ipam = { ...(o.ipv4 === undefined ? {} : { IPv4Address: o.ipv4 }), ...(o.ipv6 === undefined ? {} : { IPv6Address: o.ipv6 }) };
  await ctx.ids.use(id, undefined, ({ engineId }) => {
    const body: NetworkConnectBody = {
      Container: engineId,
      EndpointConfig: {
        ...(Object.keys(ipam).length === 0 ? {} : { IPAMConfig: ipam }),
        ...(o.aliases === undefined ? {} : { Aliases: o.aliases }),
        ...(o.macAddress === undefined ? {} : { MacAddress: o.macAddress }),
      },
    };
    return aboutNetwork(nameOrId, (path) => ctx.client.done("POST", `${path}/connect`, { json: body }));
  });
}

async function idsByEngineId(ctx: DockerContext, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, ContainerId>> {
  const filters = encodeFilters({ label: [idLabel] });
  const found = await ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1, filters }, signal });
  const known = found.flatMap((one) => {
    const id = ownIdOf(one.Labels);
    return id === undefined ? [] : [[one.Id ?? "", id] as const];
  });
  return new Map(known);
}

function detailsOf(network: Received<NetworkInspect>, ids: ReadonlyMap<string, ContainerId>): NetworkDetails {
  return {
    id: network.Id ?? "",
    name: network.Name ?? "",
    driver: network.Driver === "null" ? "none" : (network.Driver ?? "bridge"),
    internal: network.Internal === true,
    enableIpv6: network.EnableIPv6 === true,
    subnets: items(network.IPAM?.Config).flatMap((pool) => {
      const [subnet, gateway, ipRange] = [text(pool.Subnet), text(pool.Gateway), text(pool.IPRange)];
      return subnet === undefined ? [] : [{ subnet, ...(gateway === undefined ? {} : { gateway }), ...(ipRange === undefined ? {} : { ipRange }) }];
    }),
    labels: stringRecord(network.Labels),
    options: stringRecord(network.Options),
    createdAt: instant(network.Created),
    containers: entries(network.Containers).map(([hexId, member]) => ({
      hexId,
      containerId: ids.get(hexId),
      name: text(member?.Name),
      aliases: [],
      ipv4: text(member?.IPv4Address),
      ipv6: text(member?.IPv6Address),
      macAddress: text(member?.MacAddress),
    })),
  };
}
