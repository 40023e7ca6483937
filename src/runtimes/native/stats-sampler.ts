/** Statistics of running containers: descriptors are shared by all who watch a container, the clock and the host's counters by all. */
import { availableParallelism } from "node:os";
import { KeptFile } from "../../internal/kept-file.ts";
import { Ticks } from "../../internal/ticks.ts";
import type { StatsSample } from "../../runtime/types.ts";
import { CgroupCounters, type CgroupSample } from "./cgroup-sample.ts";

/** Kernel clock ticks are 10 ms on every Linux Node runs on (`USER_HZ`). */
const nsPerTick = 10_000_000;

/** Streams that are due within this time of each other are served together. */
const slotMs = 25;

/** How long the host's processor time counts as that of the same moment. */
const hostFreshMs = 5;

const nothing: CgroupSample = { cpuNs: 0, memoryBytes: 0, memoryLimitBytes: 0, pids: 0, readBytes: 0, writeBytes: 0 };

/** One run of a container under observation. */
export interface Watched extends Disposable {
  sample(): StatsSample;
}

interface Source {
  readonly counters: CgroupCounters;
  readonly network: KeptFile;
  users: number;
}

export class StatsSampler implements Disposable {
  readonly ticks: Ticks = new Ticks(slotMs);
  readonly #sources = new Map<string, Source>();
  readonly #stat = new KeptFile("/proc/stat");
  #host = { atMs: Number.NEGATIVE_INFINITY, cpuNs: 0 };

  /** `pid` = a process in the container's network. */
  watch(cgroup: string, pid: number | undefined): Watched {
    const source = this.#sources.get(cgroup) ?? { counters: new CgroupCounters(cgroup), network: new KeptFile(`/proc/${pid ?? 0}/net/dev`), users: 0 };
    this.#sources.set(cgroup, source);
    source.users += 1;
    let isOpen = true;
    return {
      sample: () => this.#sample(source.counters.sample(), networkBytes(source.network.read())),
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        source.users -= 1;
        if (source.users === 0) this.#release(cgroup, source);
      },
    };
  }

  /** Of a container that does not run. */
  zeros(): StatsSample {
    return this.#sample(nothing, [0, 0]);
  }

  #release(cgroup: string, source: Source): void {
    this.#sources.delete(cgroup);
    source.counters[Symbol.dispose]();
    source.network[Symbol.dispose]();
  }

  #sample(counters: CgroupSample, [netRxBytes, netTxBytes]: readonly [number, number]): StatsSample {
    return {
      cpuTotalNs: counters.cpuNs,
      cpuSystemNs: this.#hostCpuNs(),
      onlineCpus: availableParallelism(),
      memUsedBytes: counters.memoryBytes,
      memLimitBytes: counters.memoryLimitBytes,
      netRxBytes,
      netTxBytes,
      blkioReadBytes: counters.readBytes,
      blkioWriteBytes: counters.writeBytes,
      pidsCurrent: counters.pids,
      pidsLimit: counters.pidsLimit,
      timestamp: new Date(),
    };
  }

  #hostCpuNs(): number {
    const now = performance.now();
    if (now - this.#host.atMs > hostFreshMs) {
      const text = this.#stat.read();
      const fields = text.slice(0, text.indexOf("\n")).split(/\s+/).slice(1, 9);
      this.#host = { atMs: now, cpuNs: fields.reduce((sum, ticks) => sum + Number(ticks) * nsPerTick, 0) };
    }
    return this.#host.cpuNs;
  }

  [Symbol.dispose](): void {
    for (const [cgroup, source] of this.#sources) this.#release(cgroup, source);
    this.#stat[Symbol.dispose]();
  }
}

/** Received and sent, over all interfaces but the loopback. */
function networkBytes(text: string): readonly [number, number] {
  let [received, sent] = [0, 0];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0 || line.slice(0, colon).trim() === "lo") continue;
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    received += Number(columns[0] ?? 0);
    sent += Number(columns[8] ?? 0);
  }
  return [received, sent];
}
