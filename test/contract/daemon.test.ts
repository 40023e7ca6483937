/** The docker backend against our own daemon: what the contract asks, asked through both sides of the Engine API. */
import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { startBerthDaemon } from "../support/berth-daemon.ts";
import { daemonLacks, daemonSkips } from "../support/daemon-skips.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";

runContract({ name: "docker with berth serve", open: openDaemon, lacks: daemonLacks, skips: daemonSkips, timeoutMs: 120_000 });

async function openDaemon(): Promise<OpenedBackend> {
  const daemon = await startBerthDaemon();
  const open = (): Promise<Runtime> => openRuntime({ backend: "docker", endpoint: daemon.endpoint });
  const demo = await openDemoRegistry();
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await demo.close();
      // After everything else: it fails when the daemon is gone.
      await daemon.stop();
    },
  };
}
