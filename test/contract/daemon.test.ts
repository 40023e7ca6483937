/** The contract on the docker backend in front of our own daemon: what the one asks for on Docker's API, the other does. */
import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { startBerthDaemon } from "../support/berth-daemon.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";

runContract({
  name: "docker with berth serve",
  open: openBehindDaemon,
  lacks: { "wait-status": "Docker's API reports exit codes only: an own exit(137) and a SIGKILL look alike" },
  timeoutMs: 60_000,
});

async function openBehindDaemon(): Promise<OpenedBackend> {
  const [daemon, demo] = [await startBerthDaemon(), await openDemoRegistry()];
  const open = (): Promise<Runtime> => openRuntime({ backend: "docker", endpoint: daemon.endpoint });
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await daemon.stop();
      await demo.close();
    },
  };
}
