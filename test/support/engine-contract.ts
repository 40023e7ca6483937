/** The contract on the docker backend, whatever engine it speaks to. */
import { openRuntime, type Runtime } from "../../src/index.ts";
import type { OpenedBackend } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "./demo-registry.ts";

/** An engine of a test's own, reached as by `DOCKER_HOST`. */
interface TestEngine {
  readonly endpoint: string;
  stop(): Promise<void>;
}

export async function openOnEngine(start: () => Promise<TestEngine>): Promise<OpenedBackend> {
  const engine = await start();
  const open = (): Promise<Runtime> => openRuntime({ backend: "docker", endpoint: engine.endpoint });
  const demo = await openDemoRegistry();
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await demo.close();
      // After everything else: it may fail when the engine is gone.
      await engine.stop();
    },
  };
}
