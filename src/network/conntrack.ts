/** Connection tracking entries of UDP ports, whose stale flows would keep leading to where the port led before. */
import { errnoCode } from "../internal/libc.ts";
import { attribute, NETLINK, type NetlinkRequest, NetlinkSocket, nested, readAttributes, u32 } from "../internal/netlink.ts";
import type { PublishedPort } from "./records.ts";

const subsystem = 1;
const IPCTNL_MSG_CT = { GET: 1, DELETE: 2 } as const;
const families = [2, 10];
const IPPROTO_UDP = 17;
const CTA = { TUPLE_ORIG: 1, FILTER: 25 } as const;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 } as const;
const CTA_FILTER_ORIG_FLAGS = 1;
const filterByProtocolAndPort = (1 << 3) | (1 << 5);

/** TCP needs none of this: a new connection begins a new entry. */
export function forgetUdpFlows(ports: readonly PublishedPort[]): void {
  const hostPorts = new Set(ports.filter(({ protocol }) => protocol === "udp").map(({ hostPort }) => hostPort));
  if (hostPorts.size === 0) return;
  using socket = new NetlinkSocket(NETLINK.NETFILTER);
  for (const hostPort of hostPorts) {
    for (const family of families) {
      const flows = flowsTo(socket, family, hostPort);
      for (const flow of flows) socket.request([deleteFlow(family, flow)]);
    }
  }
}

/** Original tuples, as the kernel wrote them. */
function flowsTo(socket: NetlinkSocket, family: number, hostPort: number): Buffer[] {
  try {
    return socket
      .dump(listFlows(family, hostPort))
      .flatMap(({ body }) => readAttributes(body.subarray(4)).get(CTA.TUPLE_ORIG) ?? [])
      .filter((tuple) => leadsTo(tuple, hostPort));
  } catch (error) {
    // Without conntrack there are no flows, and kernels before 5.8 cannot filter them: these expire by themselves.
    if (["EINVAL", "EOPNOTSUPP", "ENOTSUP", "EPROTONOSUPPORT"].includes(errnoCode(error) ?? "")) return [];
    throw error;
  }
}

function leadsTo(tuple: Buffer, hostPort: number): boolean {
  const protocol = readAttributes(tuple).get(CTA_TUPLE_PROTO);
  const fields = protocol && readAttributes(protocol);
  return fields?.get(CTA_PROTO.NUM)?.[0] === IPPROTO_UDP && fields.get(CTA_PROTO.DST_PORT)?.readUInt16BE() === hostPort;
}

function listFlows(family: number, hostPort: number): NetlinkRequest {
  const port = Buffer.alloc(2);
  port.writeUInt16BE(hostPort);
  const protocol = nested(CTA_TUPLE_PROTO, attribute(CTA_PROTO.NUM, Buffer.from([IPPROTO_UDP])), attribute(CTA_PROTO.DST_PORT, port));
  return {
    type: (subsystem << 8) | IPCTNL_MSG_CT.GET,
    flags: 0,
    subject: `list flows to udp port ${hostPort}`,
    body: Buffer.concat([
      Buffer.from([family, 0, 0, 0]),
      nested(CTA.TUPLE_ORIG, protocol),
      nested(CTA.FILTER, attribute(CTA_FILTER_ORIG_FLAGS, u32(filterByProtocolAndPort)), attribute(2, u32(0))),
    ]),
  };
}

function deleteFlow(family: number, tuple: Buffer): NetlinkRequest {
  return {
    type: (subsystem << 8) | IPCTNL_MSG_CT.DELETE,
    flags: 0,
    subject: "delete flow",
    tolerate: ["ENOENT"],
    body: Buffer.concat([Buffer.from([family, 0, 0, 0]), nested(CTA.TUPLE_ORIG, tuple)]),
  };
}
