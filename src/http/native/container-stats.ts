import type { StatsSample } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { withContainer } from "../docker/container-ref.ts";
import type { NativeEngine } from "./engine.ts";

export async function containerStats(engine: NativeEngine, call: Call, streams: boolean): Promise<void> {
  await withContainer(engine, call.param("id"), async ({ id, hexId }) => {
    if (!streams) {
      const { cpuUsageUsec, memoryBytes, memoryLimit } = await engine.runtime.getContainerStats(id);
      const percent = memoryLimit === undefined ? 0 : (memoryBytes / memoryLimit) * 100;
      return call.answer(200, { id: hexId, cpu_usage_usec: cpuUsageUsec, memory_bytes: memoryBytes, memory_limit: memoryLimit, memory_percent: percent });
    }
    const signal = AbortSignal.any([call.signal, engine.closing]);
    const samples = await engine.runtime.statsStream(id, { signal });
    call.begin(200, "application/x-ndjson");
    try {
      for await (const sample of samples) {
        const wait = call.write(`${JSON.stringify(sampleLine(sample))}\n`);
        if (wait !== undefined) await wait;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return call.end();
  });
}

function sampleLine(sample: StatsSample): object {
  return Object.fromEntries(Object.entries(sample).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}
