/** `extras.networks`. */
import type { ContainerInspect } from "../../docker-api/container-inspect.ts";
import type { ContainerSummary } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import type { NetworkConnectBody, NetworkCreateBody, NetworkCreated, NetworkInspect, NetworkMember } from "../../docker-api/networks.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { NetworkConnectOptions, NetworkCreateOptions, NetworkDetails, NetworksFacet } from "../../runtime/extras.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { completeConnection } from "../../spec/complete-attachments.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { ipSubnetsOverlap, parseIpSubnet } from "../../spec/ip.ts";
import { completeNetworkOptions, predefinedNetworks, type SubnetInput } from "../../spec/network-options.ts";
import { checkLeg, endpointSettings, takesAllLegs } from "./attachments.ts";
import { changing } from "./changing.ts";
import type { DockerContext } from "./context.ts";
import { ownIdOf } from "./labels.ts";
import { entries, instant, items, stringRecord, text, texts } from "./read.ts";

export function networksFacet(ctx: DockerContext): NetworksFacet {
  return {
    create: (options, o) => changing(o, async () => await details(ctx, await createNetwork(ctx, options))),
    inspect: (nameOrId, o) => details(ctx, nameOrId, o?.signal),
    list: async (o) => {
      const found = await ctx.client.list<NetworkInspect>("GET", "/networks", { signal: o?.signal });
      // The list leaves out who is connected.
      const all = await Promise.all(found.map((one) => details(ctx, text(one.Id) ?? "", o?.signal).catch(ifGone)));
      return all.filter((one) => one !== undefined).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    remove: (nameOrId, o) =>
      changing(o, async () => {
        if (predefinedNetworks.includes(nameOrId)) throw predefined(nameOrId);
        await aboutNetwork(nameOrId, (path) => ctx.client.done("DELETE", path));
      }),
    connect: (nameOrId, id, options, o) => changing(o, () => connect(ctx, nameOrId, id, options ?? {})),
    disconnect: (nameOrId, id, o) => changing(o, () => disconnect(ctx, nameOrId, id, o?.force === true)),
    prune: (o) => changing(o, () => pruneNetworks(ctx, o ?? {})),
  };
}

function predefined(name: string): BerthError {
  return new BerthError("conflict", `network ${name} is predefined: it cannot be made, removed, joined or left`, { id: name });
}

async function details(ctx: DockerContext, nameOrId: string, signal?: AbortSignal): Promise<NetworkDetails> {
  const found = await aboutNetwork(nameOrId, (path) => ctx.client.object<NetworkInspect>("GET", path, { signal }));
  const members = await Promise.all(entries(found.Containers).map(([hexId, member]) => memberOf(ctx, found.Name ?? "", hexId, member, signal)));
  return { ...detailsOf(found), containers: members };
}

/** Names in a network, and whose container it is, are told by the container only. */
async function memberOf(
  ctx: DockerContext,
  network: string,
  hexId: string,
  member: Received<NetworkMember> | null | undefined,
  signal: AbortSignal | undefined,
): Promise<NetworkDetails["containers"][number]> {
  const found = await ctx.client.object<ContainerInspect>("GET", `/containers/${hexId}/json`, { signal }).catch(ifNoContainer);
  const leg = found?.NetworkSettings?.Networks?.[network];
  return {
    hexId,
    containerId: ownIdOf(found?.Config?.Labels),
    name: text(member?.Name),
    aliases: texts(leg?.Aliases).filter((alias) => !hexId.startsWith(alias)),
    ipv4: text(member?.IPv4Address),
    ipv6: text(member?.IPv6Address),
    macAddress: text(member?.MacAddress),
  };
}

function ifNoContainer(thrown: unknown): undefined {
  if (thrown instanceof EngineError && thrown.status === 404) return undefined;
  throw thrown;
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
  if (/already in use|no available|already allocated|failed to find free IP/i.test(engineMessage))
    return new BerthError("start_failed", engineMessage, { id: nameOrId, reason: engineMessage, cause: thrown });
  const conflict =
    /active endpoints|has (active|associated) |predefined|pre-defined|already exists in network|already connected|is not connected|ambiguous|being used|sharing network namespace|cannot be (dis)?connected|invalid network mode/i;
  return conflict.test(engineMessage) ? new BerthError("conflict", engineMessage, { id: nameOrId, cause: thrown }) : thrown;
}

async function createNetwork(ctx: DockerContext, options: NetworkCreateOptions): Promise<string> {
  const o = completeNetworkOptions(options);
  const subnets = [o.ipv4, o.ipv6].filter((one) => one !== undefined);
  const pools = subnets.map(({ subnet, gateway, ipRange }) => ({
    Subnet: subnet,
    ...(gateway === undefined ? {} : { Gateway: gateway }),
    ...(ipRange === undefined ? {} : { IPRange: ipRange }),
  }));
  const body: NetworkCreateBody = {
    Name: o.name,
    CheckDuplicate: true,
    Driver: "bridge",
    Internal: o.internal,
    EnableIPv6: o.enableIpv6,
    ...(pools.length === 0 ? {} : { IPAM: { Driver: "default", Config: pools } }),
    Options: o.options,
    Labels: o.labels,
  };
  await checkOverlap(ctx, o.name, subnets);
  try {
    const created = await ctx.client.object<NetworkCreated>("POST", "/networks/create", { json: body });
    return text(created.Id) ?? o.name;
  } catch (thrown) {
    throw creationFailure(o.name, thrown);
  }
}

const loopback = parseIpSubnet("127.0.0.0/8");

/** An engine refuses an overlap, too, without saying with what. */
async function checkOverlap(ctx: DockerContext, name: string, asked: readonly SubnetInput[]): Promise<void> {
  if (asked.length === 0) return;
  const networks = await ctx.client.list<NetworkInspect>("GET", "/networks");
  const used = networks.flatMap((network) => items(network.IPAM?.Config).map((pool) => [network.Name ?? "", text(pool.Subnet)] as const));
  for (const { subnet } of asked) {
    const wanted = parseIpSubnet(subnet);
    if (ipSubnetsOverlap(loopback, wanted)) throw new BerthError("conflict", `network ${name}: subnet ${subnet} overlaps the loopback addresses`, { id: name });
    const other = used.find(([, known]) => known !== undefined && ipSubnetsOverlap(parseIpSubnet(known), wanted));
    if (other !== undefined) throw new BerthError("conflict", `network ${name}: subnet ${subnet} overlaps ${other[1]} of network ${other[0]}`, { id: name });
  }
}

function creationFailure(name: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const { engineMessage } = thrown;
  if (/already exists|pre-?defined|overlaps|non-overlapping/i.test(engineMessage))
    return new BerthError("conflict", `network ${name}: ${engineMessage}`, { cause: thrown });
  if (/invalid|no matching subnet|does not (match|contain)/i.test(engineMessage))
    return new BerthError("invalid_spec", `network ${name}: ${engineMessage}`, { cause: thrown });
  return thrown;
}

async function connect(ctx: DockerContext, nameOrId: string, id: ContainerId, o: NetworkConnectOptions): Promise<void> {
  const leg = completeConnection(nameOrId, { ...o }, "options");
  if (leg.macAddress !== undefined && !takesAllLegs(ctx) && !ctx.facts.isPodman) {
    throw new BerthError(
      "unsupported",
      `network ${nameOrId}: engines before API 1.44 give no MAC address to a later connection; name it when the container is created`,
    );
  }
  refuseWithoutNetwork(ctx, nameOrId);
  await ctx.ids.use(id, undefined, async ({ engineId }) => {
    const network = await aboutNetwork(nameOrId, (path) => ctx.client.object<NetworkInspect>("GET", path));
    if (network.Name === "host" || network.Name === "none") throw predefined(network.Name);
    checkLeg(nameOrId, leg, network);
    const body: NetworkConnectBody = { Container: engineId, EndpointConfig: endpointSettings(leg) };
    await aboutNetwork(nameOrId, (path) => ctx.client.done("POST", `${path}/connect`, { json: body }));
  });
}

/** Podman has no networks of these names. */
function refuseWithoutNetwork(ctx: DockerContext, name: string): void {
  if (ctx.facts.isPodman && (name === "host" || name === "none")) throw predefined(name);
}

/** Of a container that does not run, an engine looks at the name only. */
async function disconnect(ctx: DockerContext, nameOrId: string, id: ContainerId, force: boolean): Promise<void> {
  refuseWithoutNetwork(ctx, nameOrId);
  await ctx.ids.use(id, undefined, async ({ engineId }) => {
    const network = await aboutNetwork(nameOrId, (path) => ctx.client.object<NetworkInspect>("GET", path));
    if (network.Name === "host" || network.Name === "none") throw predefined(network.Name);
    await aboutNetwork(nameOrId, (path) => ctx.client.done("POST", `${path}/disconnect`, { json: { Container: engineId, Force: force } }));
  });
}

/** Podman has no filter that leaves it out. */
const podmansDefault = "podman";

/** An engine prunes networks whose containers do not run, too: each is looked at here. */
async function pruneNetworks(ctx: DockerContext, o: NonNullable<Parameters<NetworksFacet["prune"]>[0]>): Promise<{ readonly deleted: readonly string[] }> {
  const [networks, containers] = await Promise.all([
    ctx.client.list<NetworkInspect>("GET", "/networks", ctx.facts.isPodman ? {} : { query: { filters: encodeFilters({ type: ["custom"] }) } }),
    ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1 } }),
  ]);
  const used = new Set(containers.flatMap((container) => entries(container.NetworkSettings?.Networks).map(([name]) => name)));
  const deleted: string[] = [];
  for (const network of networks) {
    const name = network.Name ?? "";
    const created = instant(network.Created)?.getTime() ?? 0;
    if (
      used.has(name) ||
      (ctx.facts.isPodman && name === podmansDefault) ||
      (o.until !== undefined && created >= o.until.getTime()) ||
      !matchesLabels(stringRecord(network.Labels), o.labels ?? [])
    )
      continue;
    try {
      await aboutNetwork(network.Id ?? name, (path) => ctx.client.done("DELETE", path));
      deleted.push(name);
    } catch (thrown) {
      // Joined meanwhile, or gone.
      if (!isBerthError(thrown, "conflict") && !isBerthError(thrown, "not_found")) throw thrown;
    }
  }
  return { deleted };
}

function detailsOf(network: Received<NetworkInspect>): Omit<NetworkDetails, "containers"> {
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
  };
}
