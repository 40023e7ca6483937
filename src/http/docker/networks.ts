/** Networks. */
import { assertFilterKeys, decodeFilters } from "../../docker-api/filters.ts";
import type { IpamPool, NetworkConnectBody, NetworkCreateBody, NetworkDisconnectBody, NetworkInspect, NetworkMember } from "../../docker-api/networks.ts";
import { isBerthError, UnsupportedError } from "../../errors.ts";
import type { NetworkDetails, NetworksFacet, NetworkSubnet } from "../../runtime/extras.ts";
import type { Call } from "../call.ts";
import { HttpError } from "../status.ts";
import { endpointId } from "./container-networks.ts";
import { withContainer } from "./container-ref.ts";
import { connectOptions } from "./create-network.ts";
import { endpointShape } from "./create-shape.ts";
import type { DockerEngine } from "./engine.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { pruneLabels } from "./label-filter.ts";
import { untilOf } from "./prune-filters.ts";
import { rfc3339 } from "./times.ts";
import { checkShape, type Shape, stringMap } from "./wire-shape.ts";

const predefined = ["bridge", "host", "none"];

function networksOf(engine: DockerEngine): NetworksFacet {
  const networks = engine.runtime.extras?.networks;
  if (networks === undefined) throw new UnsupportedError("networks", engine.runtime.backend, "it manages no networks");
  return networks;
}

function networkReport(network: NetworkDetails): NetworkInspect {
  return {
    Name: network.name,
    Id: network.id,
    Created: rfc3339(network.createdAt),
    Scope: "local",
    Driver: network.driver === "none" ? "null" : network.driver,
    EnableIPv6: network.enableIpv6,
    IPAM: { Driver: "default", Options: null, Config: network.subnets.map(pool) },
    Internal: network.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(network.containers.map((member) => [member.hexId, memberReport(network, member)])),
    Options: network.options,
    Labels: network.labels,
  };
}

function pool({ subnet, gateway, ipRange }: NetworkSubnet): IpamPool {
  return { Subnet: subnet, ...(ipRange === undefined ? {} : { IPRange: ipRange }), ...(gateway === undefined ? {} : { Gateway: gateway }) };
}

function memberReport(network: NetworkDetails, member: NetworkDetails["containers"][number]): NetworkMember {
  return {
    Name: member.name ?? "",
    EndpointID: endpointId(member.hexId, network.name),
    MacAddress: member.macAddress ?? "",
    IPv4Address: member.ipv4 ?? "",
    IPv6Address: member.ipv6 ?? "",
  };
}

export async function listNetworks(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["dangling", "driver", "id", "label", "name", "scope", "type"]);
  for (const value of filters["type"] ?? []) if (!["custom", "builtin"].includes(value)) throw new HttpError(400, `invalid filter: 'type'='${value}'`);
  const has = (key: string, test: (value: string) => boolean): boolean => filters[key]?.some(test) ?? true;
  const found = (await networksOf(engine).list()).filter(
    (network) =>
      has("name", (value) => network.name.includes(value)) &&
      has("id", (value) => network.id.startsWith(value)) &&
      has("driver", (value) => value === (network.driver === "none" ? "null" : network.driver)) &&
      has("scope", (value) => value === "local") &&
      has("type", (value) => (value === "builtin") === predefined.includes(network.name)) &&
      has("dangling", (value) => (value === "true" || value === "1") === (network.containers.length === 0 && !predefined.includes(network.name))) &&
      matchesLabels(network.labels, filters["label"] ?? []),
  );
  call.answer(
    200,
    found.map(networkReport).map((report) => (call.apiVersion >= 28 ? { ...report, Containers: {} } : report)),
  );
}

export async function inspectNetwork(engine: DockerEngine, call: Call): Promise<void> {
  call.answer(200, networkReport(await named(call, (ref) => networksOf(engine).inspect(ref))));
}

const createShape: Shape = {
  fields: {
    Name: "string",
    Driver: "string",
    Internal: "boolean",
    Attachable: "boolean",
    Ingress: "boolean",
    ConfigOnly: "boolean",
    EnableIPv4: "boolean",
    EnableIPv6: "boolean",
    IPAM: {
      fields: {
        Driver: "string",
        Options: stringMap,
        Config: { list: { fields: { Subnet: "string", IPRange: "string", Gateway: "string", AuxiliaryAddresses: stringMap } } },
      },
    },
    Options: stringMap,
    Labels: stringMap,
  },
};

export async function createNetwork(engine: DockerEngine, call: Call): Promise<void> {
  const sent = await call.json();
  checkShape(sent, createShape, "");
  const body = sent as NetworkCreateBody & Readonly<Record<string, unknown>>;
  refuseUnsupported(body);
  try {
    const network = await networksOf(engine).create({
      name: body.Name,
      internal: body.Internal,
      enableIpv6: body.EnableIPv6,
      subnets: subnetsOf(body),
      labels: body.Labels ?? undefined,
      options: body.Options ?? undefined,
    });
    call.answer(201, { Id: network.id, Warning: "" });
  } catch (error) {
    if (isBerthError(error, "conflict") && /exist/.test(error.message))
      throw new HttpError(409, `network with name ${body.Name} already exists`, { cause: error });
    if (isBerthError(error, "conflict")) throw new HttpError(400, error.message, { cause: error });
    throw error;
  }
}

function refuseUnsupported(body: NetworkCreateBody): void {
  if (!body.Name) throw new HttpError(400, "network name must not be empty");
  if (predefined.includes(body.Name)) throw new HttpError(403, `operation is not permitted on predefined ${body.Name} network`);
  const driver = body.Driver || "bridge";
  if (driver === "host" || driver === "null") throw new HttpError(403, `only one instance of "${driver}" network is allowed`);
  if (driver === "overlay") throw new HttpError(503, swarmText);
  if (driver !== "bridge") throw new HttpError(404, `could not find plugin ${driver} in v1 plugin registry: plugin "${driver}" not found`);
  if (body.Ingress === true || body.ConfigOnly === true || body.ConfigFrom?.Network)
    throw new HttpError(501, "ingress and config-only networks are not supported");
  if (body.IPAM?.Driver && body.IPAM.Driver !== "default") throw new HttpError(404, `could not find ipam plugin ${body.IPAM.Driver}`);
}

const swarmText = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function subnetsOf(body: NetworkCreateBody): readonly NetworkSubnet[] | undefined {
  const pools = (body.IPAM?.Config ?? []).filter(({ Subnet }) => Subnet);
  if (pools.length === 0) return undefined;
  return pools.map(({ Subnet = "", Gateway, IPRange }) => ({ subnet: Subnet, gateway: Gateway || undefined, ipRange: IPRange || undefined }));
}

export async function removeNetwork(engine: DockerEngine, call: Call): Promise<void> {
  const ref = call.param("id");
  if (predefined.includes(ref)) throw new HttpError(403, `${ref} is a pre-defined network and cannot be removed`);
  try {
    await named(call, () => networksOf(engine).remove(ref));
  } catch (error) {
    if (!isBerthError(error, "conflict")) throw error;
    throw new HttpError(403, `error while removing network: network ${ref} has active endpoints: ${error.message}`, { cause: error });
  }
  call.empty(204);
}

export async function connectNetwork(engine: DockerEngine, call: Call): Promise<void> {
  const sent = await call.json();
  checkShape(sent, { fields: { Container: "string", EndpointConfig: endpointShape } }, "");
  const body = sent as NetworkConnectBody & Readonly<Record<string, unknown>>;
  if (!body.Container) throw new HttpError(400, "Container must be given");
  const options = connectOptions(body.EndpointConfig ?? {});
  await named(call, (ref) => withContainer(engine, body.Container, ({ id }) => networksOf(engine).connect(ref, id, options)));
  call.empty(200);
}

export async function disconnectNetwork(engine: DockerEngine, call: Call): Promise<void> {
  const sent = await call.json();
  checkShape(sent, { fields: { Container: "string", Force: "boolean" } }, "");
  const body = sent as NetworkDisconnectBody & Readonly<Record<string, unknown>>;
  if (!body.Container) throw new HttpError(400, "Container must be given");
  await named(call, (ref) => withContainer(engine, body.Container, ({ id }) => networksOf(engine).disconnect(ref, id, { force: body.Force })));
  call.empty(200);
}

export async function pruneNetworks(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["until", "label", "label!"]);
  const { deleted } = await networksOf(engine).prune({ until: untilOf(filters), labels: pruneLabels(filters) });
  call.answer(200, { NetworksDeleted: deleted.length === 0 ? null : deleted });
}

async function named<T>(call: Call, work: (ref: string) => Promise<T>): Promise<T> {
  const ref = call.param("id");
  try {
    return await work(ref);
  } catch (error) {
    if (isBerthError(error, "not_found")) throw new HttpError(404, `network ${ref} not found`, { cause: error });
    throw error;
  }
}
