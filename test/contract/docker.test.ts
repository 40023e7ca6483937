import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";
import { dockerLacks, dockerSkips } from "../support/docker-skips.ts";
import { startDockerd } from "../support/dockerd.ts";

runContract({ name: "docker with dockerd", open: openDocker, lacks: dockerLacks, skips: dockerSkips, timeoutMs: 180_000 });

async function openDocker(): Promise<OpenedBackend> {
  const dockerd = await startDockerd();
  const open = (): Promise<Runtime> => openRuntime({ backend: "docker", endpoint: dockerd.endpoint });
  const demo = await openDemoRegistry();
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await demo.close();
      await dockerd.stop();
    },
  };
}
