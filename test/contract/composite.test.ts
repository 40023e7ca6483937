/** The contract through the composite, in front of native and of a real dockerd: everything passes through unchanged. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";
import { startDockerd } from "../support/dockerd.ts";


async function openComposite(): Promise<OpenedBackend> {
  const root = mkdtempSync(join(tmpdir(), "berth-contract-"));
  const dockerd = await startDockerd();
  const demo = await openDemoRegistry();
  const open = (): Promise<Runtime> =>
    openRuntime({ backend: "composite", children: ["native", "docker"], root, runDir: join(root, "run"), ociRuntime: "crun", endpoint: dockerd.endpoint });
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await dockerd.stop();
      await demo.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
