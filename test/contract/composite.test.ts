/** The contract through the composite, in front of native and of a real dockerd: everything passes through unchanged. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "../support/demo-registry.ts";
import { startDockerd } from "../support/dockerd.ts";

/** A composite pulls on all its children, and only those that keep credentials have them. */
const noStore = "the docker backend keeps no credentials of its own: it takes the call's, else those of Docker's config file";

runContract({
  name: "composite of native and docker",
  open: openComposite,
  skips: {
    "stored credentials are used for a pull without its own, and no more once they are removed": noStore,
    "stored credentials are there for whoever opens the state next": noStore,
    "prune takes nothing that a pull or a create in progress needs": "dockerd refuses a prune while another one runs",
    "removal by id or digest takes an image of one name": "on dockerd a removal by digest takes that name only, and the tag stays",
  },
  timeoutMs: 60_000,
});

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
