/** `/metrics` in Prometheus' text form: requests, this process, and every container. */
import { isManaged, type ManagedContainer } from "../engine/resolve.ts";
import type { HttpEvents } from "../http/server.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { StatsSample } from "../runtime/types.ts";
import { shortId } from "../spec/container-id.ts";
import { version } from "../version.ts";

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly { readonly suffix?: string; readonly labels?: Labels; readonly value: number }[];
}

const bucketSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** A container that does not tell in time is left out of this page, not the page out of the container. */
const sampleWithinMs = 2_000;

interface RouteFigures {
  readonly statuses: Map<number, number>;
  readonly buckets: number[];
  count: number;
  seconds: number;
}

export class Metrics {
  readonly #routes = new Map<string, RouteFigures>();
  readonly #runtime: Pick<Runtime, "backend" | "listContainers" | "statsStream">;
  #scrapeErrors = 0;

  constructor(runtime: Pick<Runtime, "backend" | "listContainers" | "statsStream">) {
    this.#runtime = runtime;
  }

  readonly answered: HttpEvents["answered"] = ({ method, route, status, ms }) => {
    const key = `${method} ${route}`;
    const figures = this.#routes.get(key) ?? { statuses: new Map(), buckets: bucketSeconds.map(() => 0), count: 0, seconds: 0 };
    this.#routes.set(key, figures);
    figures.statuses.set(status, (figures.statuses.get(status) ?? 0) + 1);
    figures.count++;
    figures.seconds += ms / 1000;
    bucketSeconds.forEach((limit, i) => {
      if (ms / 1000 <= limit) figures.buckets[i] = (figures.buckets[i] ?? 0) + 1;
    });
  };

  async page(): Promise<string> {
    const containers = (await this.#runtime.listContainers()).filter(isManaged);
    const perContainer = await this.#containerFamilies(containers.filter(({ state }) => state?.state === "running"));
    return [...this.#engineFamilies(containers), ...this.#requestFamilies(), ...perContainer].map(text).join("");
  }

  #engineFamilies(containers: readonly ManagedContainer[]): readonly Family[] {
    const states = new Map<string, number>();
    for (const { state } of containers) states.set(state?.state ?? "unknown", (states.get(state?.state ?? "unknown") ?? 0) + 1);
    return [
      gauge("berth_info", "Version and backend of the engine.", [{ labels: { version, backend: this.#runtime.backend }, value: 1 }]),
      gauge(
        "berth_containers",
        "Containers by state.",
        [...states].map(([state, value]) => ({ labels: { state }, value })),
      ),
      gauge("process_resident_memory_bytes", "Memory of the daemon.", [{ value: process.memoryUsage.rss() }]),
      { ...gauge("process_cpu_seconds_total", "CPU time of the daemon.", [{ value: cpuSeconds() }]), type: "counter" },
      gauge("process_start_time_seconds", "When the daemon started.", [{ value: Date.now() / 1000 - process.uptime() }]),
    ];
  }

  #requestFamilies(): readonly Family[] {
    const entries = [...this.#routes].map(([key, figures]) => {
      const [method = "", route = ""] = key.split(" ");
      return { labels: { method, route }, figures };
    });
    return [
      {
        name: "berth_http_requests_total",
        type: "counter",
        help: "Answered requests.",
        samples: entries.flatMap(({ labels, figures }) =>
          [...figures.statuses].map(([status, value]) => ({ labels: { ...labels, status: String(status) }, value })),
        ),
      },
      {
        name: "berth_http_request_duration_seconds",
        type: "histogram",
        help: "How long requests took, streams to their end.",
        samples: entries.flatMap(({ labels, figures }) => [
          ...bucketSeconds.map((limit, i) => ({ suffix: "_bucket", labels: { ...labels, le: String(limit) }, value: figures.buckets[i] ?? 0 })),
          { suffix: "_bucket", labels: { ...labels, le: "+Inf" }, value: figures.count },
          { suffix: "_sum", labels, value: figures.seconds },
          { suffix: "_count", labels, value: figures.count },
        ]),
      },
    ];
  }

  async #containerFamilies(running: readonly ManagedContainer[]): Promise<readonly Family[]> {
    const sampled = await Promise.all(running.map(async (container) => ({ container, sample: await this.#sample(container) })));
    const family = (name: string, type: "counter" | "gauge", help: string, value: (sample: StatsSample) => number): Family => ({
      name: `berth_container_${name}`,
      type,
      help,
      samples: sampled.flatMap(({ container, sample }) => (sample === undefined ? [] : [{ labels: labelsOf(container), value: value(sample) }])),
    });
    return [
      family("cpu_seconds_total", "counter", "CPU time.", (sample) => sample.cpuTotalNs / 1e9),
      family("memory_bytes", "gauge", "Memory in use, without inactive file cache.", (sample) => sample.memUsedBytes),
      family("memory_limit_bytes", "gauge", "Limit of memory; 0 is none.", (sample) => sample.memLimitBytes),
      family("network_receive_bytes_total", "counter", "Bytes received.", (sample) => sample.netRxBytes),
      family("network_transmit_bytes_total", "counter", "Bytes sent.", (sample) => sample.netTxBytes),
      family("block_read_bytes_total", "counter", "Bytes read from disks.", (sample) => sample.blkioReadBytes),
      family("block_write_bytes_total", "counter", "Bytes written to disks.", (sample) => sample.blkioWriteBytes),
      family("pids", "gauge", "Processes and threads.", (sample) => sample.pidsCurrent),
      {
        name: "berth_container_scrape_errors_total",
        type: "counter",
        help: "Containers that did not tell their figures.",
        samples: [{ value: this.#scrapeErrors }],
      },
    ];
  }

  async #sample({ containerId }: ManagedContainer): Promise<StatsSample | undefined> {
    try {
      const signal = AbortSignal.timeout(sampleWithinMs);
      for await (const sample of await this.#runtime.statsStream(containerId, { signal })) return sample;
    } catch {
      // One container's trouble is a figure of its own, never the page's.
      this.#scrapeErrors++;
    }
    return undefined;
  }
}

function gauge(name: string, help: string, samples: Family["samples"]): Family {
  return { name, type: "gauge", help, samples };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function labelsOf({ hexId = "", name = "", image = "" }: ManagedContainer): Labels {
  return { id: shortId(hexId), name, image };
}

function text({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix = "", labels = {}, value }) => `${name}${suffix}${labelText(labels)} ${value}\n`);
  return lines.length === 0 ? "" : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`))}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
