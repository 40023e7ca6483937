import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";
import { startPodman } from "../support/podman.ts";
import { podmanLacks, podmanSkips, podmanUnseen } from "../support/podman-skips.ts";

runContract({ name: "docker with Podman", open: openPodman, lacks: podmanLacks, skips: podmanSkips, unseen: podmanUnseen, timeoutMs: 60_000 });

async function openPodman(): Promise<OpenedBackend> {
  const podman = await startPodman();
  const open = (): Promise<Runtime> => openRuntime({ backend: "docker", endpoint: podman.endpoint });
  const demo = await openDemoRegistry();
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await demo.close();
      await podman.stop();
    },
  };
}
