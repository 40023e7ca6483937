/** GET /containers/{id}/stats */
import { totalmem } from "node:os";
import type { BlkioStats, CpuStats, StatsReport } from "../../docker-api/stats.ts";
import type { StatsSample } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { boolParam } from "../query.ts";
import { refOf, withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";
import { never, rfc3339 } from "./times.ts";

export async function containerStats(engine: DockerEngine, call: Call): Promise<void> {
  const streams = boolParam(call.query, "stream", true);
  const oneShot = call.apiVersion >= 41 && boolParam(call.query, "one-shot");
  await withContainer(engine, refOf(call), async ({ id, hexId }) => {
    const { name = "" } = await engine.runtime.inspectDetailed(id);
    const signal = AbortSignal.any([call.signal, engine.closing]);
    const samples = await engine.runtime.statsStream(id, { signal });
    const report = (sample: StatsSample, before: StatsSample | undefined): StatsReport => statsReport({ hexId, name }, sample, before);
    if (!streams) return call.answer(200, await single(samples, report, oneShot));
    call.begin(200, "application/json");
    let before: StatsSample | undefined;
    try {
      for await (const sample of samples) {
        const wait = call.write(`${JSON.stringify(report(sample, before))}\n`);
        if (wait !== undefined) await wait;
        before = sample;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return call.end();
  });
}

type Report = (sample: StatsSample, before: StatsSample | undefined) => StatsReport;

/** One answer needs two samples, so that there is a difference; `one-shot` does without. */
async function single(samples: AsyncIterable<StatsSample>, report: Report, oneShot: boolean): Promise<StatsReport> {
  let before: StatsSample | undefined;
  let last: StatsReport | undefined;
  for await (const sample of samples) {
    last = report(sample, before);
    if (oneShot || before !== undefined) break;
    before = sample;
  }
  return last ?? report(nothing, undefined);
}

const nothing: StatsSample = {
  cpuTotalNs: 0,
  cpuSystemNs: 0,
  onlineCpus: 0,
  memUsedBytes: 0,
  memLimitBytes: 0,
  netRxBytes: 0,
  netTxBytes: 0,
  blkioReadBytes: 0,
  blkioWriteBytes: 0,
  pidsCurrent: 0,
  timestamp: new Date(0),
};

export function statsReport(container: { hexId: string; name: string }, sample: StatsSample, before: StatsSample | undefined): StatsReport {
  return {
    read: rfc3339(sample.timestamp),
    preread: before === undefined ? never : rfc3339(before.timestamp),
    name: `/${container.name}`,
    id: container.hexId,
    pids_stats: { current: sample.pidsCurrent, ...(sample.pidsLimit === undefined ? {} : { limit: sample.pidsLimit }) },
    blkio_stats: blkioStats(sample),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(sample),
    precpu_stats: cpuStats(before),
    memory_stats: { usage: sample.memUsedBytes, limit: sample.memLimitBytes || totalmem(), stats: {} },
    networks: { eth0: interfaceStats(sample) },
  };
}

function cpuStats(sample: StatsSample | undefined): CpuStats {
  return {
    cpu_usage: { total_usage: sample?.cpuTotalNs ?? 0, usage_in_kernelmode: 0, usage_in_usermode: sample?.cpuTotalNs ?? 0 },
    ...(sample === undefined ? {} : { system_cpu_usage: sample.cpuSystemNs, online_cpus: sample.onlineCpus }),
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
}

function blkioStats({ blkioReadBytes, blkioWriteBytes }: StatsSample): BlkioStats {
  const entry = (op: string, value: number) => ({ major: 0, minor: 0, op, value });
  return {
    io_service_bytes_recursive: [entry("read", blkioReadBytes), entry("write", blkioWriteBytes)],
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

function interfaceStats({ netRxBytes, netTxBytes }: StatsSample) {
  return {
    rx_bytes: netRxBytes,
    rx_packets: 0,
    rx_errors: 0,
    rx_dropped: 0,
    tx_bytes: netTxBytes,
    tx_packets: 0,
    tx_errors: 0,
    tx_dropped: 0,
  };
}
