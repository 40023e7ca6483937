/** A container's network namespace, filled between the OCI runtime's create and start. Synchronous, about two milliseconds. */
import { writeFileSync } from "node:fs";
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import type { NetlinkRequest, NetlinkSocket } from "../internal/netlink.ts";
import { deleteLinks, gatewayEndpoint, linkExists } from "./allocation.ts";
import { ensureBridge } from "./bridge.ts";
import type { NetworkContext } from "./context.ts";
import { addressToNumber, subnetOf } from "./ipv4.ts";
import { openNamespace, withinNamespace } from "./namespace.ts";
import { requireNetwork } from "./networks.ts";
import { addAddress, addAddress6, deleteDefaultRoute, setDefaultRoute } from "./addresses-and-routes.ts";
import { createVeth, findLink, loopbackIndex, namespaceId, openRouteSocket, setHairpin, setLinkUp } from "./rtnetlink.ts";
import { bindingsOf, ensureRules, publish, unpublish } from "./rules.ts";
import type { Endpoint } from "./types.ts";

/**
 * Gives the process's namespace its legs in the networks and publishes the ports. After a failure the host is as before;
 * the leases stay until `release`. Throws `network`.
 */
export function attach(context: NetworkContext, endpoints: readonly Endpoint[], pid: number): void {
  const ports = endpoints.flatMap(bindingsOf);
  using namespace = openNamespace(pid);
  try {
    ensureRules(context);
    for (const endpoint of endpoints) connect(context, endpoint, namespace.fd);
    withinNamespace(namespace.fd, () => {
      for (const endpoint of endpoints) configure(endpoint);
      setRoutes(endpoints);
    });
    publish(context, ports);
  } catch (cause) {
    unpublish(context, ports);
    deleteLinks(endpoints.map(({ hostInterface }) => hostInterface));
    throw attachFailure(endpoints, cause);
  }
}

/** One more leg for a container that runs. `all` are its endpoints with the new one: they decide about the default route. */
export function attachFurther(context: NetworkContext, endpoint: Endpoint, all: readonly Endpoint[], pid: number): void {
  using namespace = openNamespace(pid);
  try {
    ensureRules(context);
    connect(context, endpoint, namespace.fd);
    withinNamespace(namespace.fd, () => {
      configure(endpoint);
      setRoutes(all);
    });
  } catch (cause) {
    deleteLinks([endpoint.hostInterface]);
    throw attachFailure([endpoint], cause);
  }
}

/** The way out after a leg was added or taken away. */
export function routeAgain(endpoints: readonly Endpoint[], pid: number): void {
  using namespace = openNamespace(pid);
  withinNamespace(namespace.fd, () => setRoutes(endpoints));
}

/** Mode `none`: a namespace with nothing but loopback. */
export function loopbackOnly(pid: number): void {
  using namespace = openNamespace(pid);
  withinNamespace(namespace.fd, () => {
    using socket = openRouteSocket();
    socket.request([setLinkUp(loopbackIndex)]);
  });
}

function attachFailure(endpoints: readonly Endpoint[], cause: unknown): BerthError {
  if (isBerthError(cause)) return cause;
  const [{ key, network } = { key: "", network: "" }] = endpoints;
  return new BerthError("network", `cannot attach ${key} to network ${network}: ${messageOf(cause)}`, { id: key, cause });
}

function connect(context: NetworkContext, endpoint: Endpoint, namespaceFd: number): void {
  using socket = openRouteSocket();
  try {
    connectOnce(context, socket, endpoint, namespaceFd);
  } catch (error) {
    // EEXIST: an earlier namespace of this key is still fading out. ENODEV: the bridge went while we looked.
    const gone = errnoCode(error) === "ENODEV" || (errnoCode(error) === "EEXIST" && linkExists(endpoint.hostInterface));
    if (!gone) throw error;
    deleteLinks([endpoint.hostInterface]);
    connectOnce(context, socket, endpoint, namespaceFd);
  }
}

function connectOnce(context: NetworkContext, socket: NetlinkSocket, endpoint: Endpoint, namespaceFd: number): void {
  const bridge = ensureBridge(context, socket, requireNetwork(context, endpoint.network));
  const peer = { name: endpoint.interfaceName, mac: endpoint.macAddress, namespaceFd };
  const veth = createVeth({ name: endpoint.hostInterface, master: bridge.index, mtu: bridge.mtu, peer });
  socket.request(endpoint.ports.length > 0 ? [veth, setHairpin(endpoint.hostInterface)] : [veth]);
  const id = namespaceId(socket, namespaceFd);
  if (id !== undefined) context.namespaceIds.set(endpoint.key, id);
}

function configure(endpoint: Endpoint): void {
  using socket = openRouteSocket();
  const { index } = requireLink(socket, endpoint);
  const subnet = subnetOf(addressToNumber(endpoint.ipv4), endpoint.prefix);
  const six = endpoint.ipv6 && addAddress6({ index, ...endpoint.ipv6 });
  if (six !== undefined) switchOnIpv6(endpoint.interfaceName);
  const addresses = [addAddress({ index, address: endpoint.ipv4, subnet }), ...(six === undefined ? [] : [six])];
  socket.request([setLinkUp(loopbackIndex), ...addresses, setLinkUp(index)]);
}

/** Some hosts switch IPv6 off for every new interface; and a second owner of our addresses need not be looked for. */
function switchOnIpv6(interfaceName: string): void {
  const conf = `/proc/sys/net/ipv6/conf/${interfaceName}`;
  for (const [name, value] of [
    ["disable_ipv6", "0"],
    ["accept_dad", "0"],
    ["accept_ra", "0"],
  ] as const) {
    writeFileSync(`${conf}/${name}`, value);
  }
}

/** Each family leaves by the first network that has it and a way out. */
function setRoutes(endpoints: readonly Endpoint[]): void {
  using socket = openRouteSocket();
  const outgoing = endpoints.filter(({ internal }) => !internal);
  const [four, six] = [gatewayEndpoint(outgoing), gatewayEndpoint(outgoing.filter(({ ipv6 }) => ipv6 !== undefined))];
  socket.request([...routeBy(socket, four, four?.gateway, 4), ...(hasIpv6(endpoints) ? routeBy(socket, six, six?.ipv6?.gateway, 6) : [])]);
}

function hasIpv6(endpoints: readonly Endpoint[]): boolean {
  return endpoints.some(({ ipv6 }) => ipv6 !== undefined);
}

function routeBy(socket: NetlinkSocket, endpoint: Endpoint | undefined, gateway: string | undefined, family: 4 | 6): NetlinkRequest[] {
  if (endpoint === undefined || gateway === undefined) return [deleteDefaultRoute(family)];
  return [setDefaultRoute({ index: requireLink(socket, endpoint).index, gateway })];
}

function requireLink(socket: NetlinkSocket, endpoint: Endpoint): { readonly index: number } {
  const link = findLink(socket, endpoint.interfaceName);
  if (link === undefined) throw new BerthError("network", `interface ${endpoint.interfaceName} of ${endpoint.key} vanished while it was set up`);
  return link;
}
