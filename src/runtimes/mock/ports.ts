/** Host ports of running containers. */
import { BerthError } from "../../errors.ts";
import type { PortMappingEntry } from "../../runtime/types.ts";
import type { PortMapping } from "../../spec/service-spec.ts";

const firstEphemeral = 32768;
const lastEphemeral = 60999;

export class MockPorts {
  readonly #ports = new Set<string>();

  /** All or none; without an address in both families, as far as the container has them. Throws `start_failed` for a port somebody has. */
  takePorts(mappings: readonly PortMapping[], { hasIpv6 }: { readonly hasIpv6: boolean }): readonly PortMappingEntry[] {
    const taken: PortMappingEntry[] = [];
    try {
      for (const mapping of mappings) {
        if (mapping.hostIp.includes(":") && !hasIpv6) throw withoutIpv6(mapping);
        const entry = this.#takePort(mapping);
        taken.push(entry, ...(hasIpv6 && mapping.hostIp === "0.0.0.0" ? [{ ...entry, hostIp: "::" }] : []));
      }
    } catch (thrown) {
      this.release(taken);
      throw thrown;
    }
    return taken.sort((a, b) => a.containerPort - b.containerPort || (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0));
  }

  release(ports: readonly PortMappingEntry[]): void {
    for (const { protocol, hostPort } of ports) this.#ports.delete(`${protocol}:${hostPort}`);
  }

  #takePort(mapping: PortMapping): PortMappingEntry {
    const hostPort = mapping.hostPort === undefined || mapping.hostPort === 0 ? this.#freePort(mapping.protocol) : this.#firstFree(mapping, mapping.hostPort);
    const key = `${mapping.protocol}:${hostPort}`;
    if (this.#ports.has(key)) {
      const reason = `port is already allocated: ${mapping.hostIp}:${hostPort}/${mapping.protocol}`;
      throw new BerthError("start_failed", reason, { reason, exitCode: 128 });
    }
    this.#ports.add(key);
    return { containerPort: mapping.containerPort, protocol: mapping.protocol, hostIp: mapping.hostIp, hostPort };
  }

  /** Of a range the first free one, else its last. */
  #firstFree({ protocol, hostPortEnd }: PortMapping, first: number): number {
    let port = first;
    while (hostPortEnd !== undefined && port < hostPortEnd && this.#ports.has(`${protocol}:${port}`)) port += 1;
    return port;
  }

  #freePort(protocol: string): number {
    for (let port = firstEphemeral; port <= lastEphemeral; port++) if (!this.#ports.has(`${protocol}:${port}`)) return port;
    throw new BerthError("start_failed", "no free host port is left", { exitCode: 128 });
  }
}

function withoutIpv6({ hostIp, containerPort }: PortMapping): BerthError {
  const reason = `port ${containerPort} cannot be published on ${hostIp}: the container has no IPv6 address; connect it to a network with IPv6`;
  return new BerthError("start_failed", reason, { reason, exitCode: 128 });
}
