/** Addresses and host ports of running containers. */
import { BerthError } from "../../errors.ts";
import type { NetworkAttachmentDetail, PortMappingEntry } from "../../runtime/types.ts";
import type { CompleteSpec, PortMapping } from "../../spec/service-spec.ts";

const firstEphemeral = 32768;
const lastEphemeral = 60999;

/** Name of the network a mode attaches to, as inspect shows it. */
export function networkName(mode: CompleteSpec["networkMode"]): string {
  if (mode.mode === "host" || mode.mode === "none") return mode.mode;
  if (mode.mode === "container") return `container:${mode.id}`;
  return mode.mode === "bridge" && mode.name !== undefined ? mode.name : "bridge";
}

export class MockNetwork {
  readonly #addresses = new Set<string>();
  readonly #ports = new Set<string>();

  /** An address of the network's own /16, lowest free one first; the gateway has .0.1. */
  takeAddress(network: string): string {
    const subnet = network === "bridge" ? 17 : 18 + (Buffer.from(network).reduce((sum, byte) => sum + byte, 0) % 200);
    for (let host = 2; host < 65534; host++) {
      const address = `172.${subnet}.${host >> 8}.${host & 255}`;
      if (this.#addresses.has(address)) continue;
      this.#addresses.add(address);
      return address;
    }
    throw new BerthError("network", `network ${network} has no free address`);
  }

  /** All or none. Throws `start_failed` for a port somebody has. */
  takePorts(mappings: readonly PortMapping[]): readonly PortMappingEntry[] {
    const taken: PortMappingEntry[] = [];
    try {
      for (const mapping of mappings) taken.push(this.#takePort(mapping));
    } catch (thrown) {
      this.release(undefined, taken);
      throw thrown;
    }
    return taken.sort((a, b) => a.containerPort - b.containerPort || (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0));
  }

  release(address: string | undefined, ports: readonly PortMappingEntry[]): void {
    if (address !== undefined) this.#addresses.delete(address);
    for (const { protocol, hostPort } of ports) this.#ports.delete(`${protocol}:${hostPort}`);
  }

  #takePort(mapping: PortMapping): PortMappingEntry {
    const hostPort = mapping.hostPort === undefined || mapping.hostPort === 0 ? this.#freePort(mapping.protocol) : mapping.hostPort;
    const key = `${mapping.protocol}:${hostPort}`;
    if (this.#ports.has(key)) {
      const reason = `port is already allocated: ${mapping.hostIp}:${hostPort}/${mapping.protocol}`;
      throw new BerthError("start_failed", reason, { reason, exitCode: 128 });
    }
    this.#ports.add(key);
    return { containerPort: mapping.containerPort, protocol: mapping.protocol, hostIp: mapping.hostIp, hostPort };
  }

  #freePort(protocol: string): number {
    for (let port = firstEphemeral; port <= lastEphemeral; port++) if (!this.#ports.has(`${protocol}:${port}`)) return port;
    throw new BerthError("start_failed", "no free host port is left", { exitCode: 128 });
  }
}

export function attachmentOf(mode: CompleteSpec["networkMode"], ip: string | undefined, aliases: readonly string[]): NetworkAttachmentDetail {
  const network = networkName(mode);
  return network === "host" || network === "none" ? { network, aliases: [] } : { network, aliases, ipv4: ip };
}
