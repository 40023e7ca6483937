/** A container's network namespace, filled between the OCI runtime's create and start. Synchronous, about two milliseconds. */
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import type { NetlinkSocket } from "../internal/netlink.ts";
import { deleteLinks, linkExists } from "./allocation.ts";
import { ensureBridge } from "./bridge.ts";
import type { NetworkContext } from "./context.ts";
import { addressToNumber, subnetOf } from "./ipv4.ts";
import { openNamespace, withinNamespace } from "./namespace.ts";
import { requireNetwork } from "./networks.ts";
import { addAddress, addDefaultRoute, createVeth, findLink, loopbackIndex, namespaceId, openRouteSocket, setHairpin, setLinkUp } from "./rtnetlink.ts";
import { ensureRules, publish, unpublish } from "./rules.ts";
import type { Endpoint } from "./types.ts";

/**
 * Gives the process's namespace its leg in the network and publishes the ports. After a failure the host is as before;
 * the lease stays until `release`. Throws `network`.
 */
export function attach(context: NetworkContext, endpoint: Endpoint, pid: number): void {
  const ports = endpoint.ports.map((port) => ({ ...port, key: endpoint.key, address: endpoint.ipv4 }));
  using namespace = openNamespace(pid);
  try {
    ensureRules(context);
    connect(context, endpoint, namespace.fd);
    withinNamespace(namespace.fd, () => configure(endpoint));
    publish(context, ports);
  } catch (cause) {
    unpublish(context, ports);
    deleteLinks([endpoint.hostInterface]);
    if (isBerthError(cause)) throw cause;
    throw new BerthError("network", `cannot attach ${endpoint.key} to network ${endpoint.network}: ${messageOf(cause)}`, { id: endpoint.key, cause });
  }
}

/** Mode `none`: a namespace with nothing but loopback. */
export function loopbackOnly(pid: number): void {
  using namespace = openNamespace(pid);
  withinNamespace(namespace.fd, () => {
    using socket = openRouteSocket();
    socket.request([setLinkUp(loopbackIndex)]);
  });
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
  const link = findLink(socket, endpoint.interfaceName);
  if (link === undefined) throw new BerthError("network", `interface ${endpoint.interfaceName} of ${endpoint.key} vanished while it was set up`);
  const { index } = link;
  const subnet = subnetOf(addressToNumber(endpoint.ipv4), endpoint.prefix);
  const route = endpoint.internal ? [] : [addDefaultRoute({ index, gateway: endpoint.gateway })];
  socket.request([setLinkUp(loopbackIndex), addAddress({ index, address: endpoint.ipv4, subnet }), setLinkUp(index), ...route]);
}
