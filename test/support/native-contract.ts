import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime, type Runtime } from "../../src/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "./demo-registry.ts";

/** The contract on the native backend with one OCI runtime. */
export function runNativeContract(ociRuntime: "crun" | "runc"): void {
  runContract({
    name: `native with ${ociRuntime}`,
    open: () => openNative(ociRuntime),
  });
}

async function openNative(ociRuntime: "crun" | "runc"): Promise<OpenedBackend> {
  const root = mkdtempSync(join(tmpdir(), "berth-contract-"));
  const open = (): Promise<Runtime> => openRuntime({ backend: "native", root, runDir: join(root, "run"), ociRuntime });
  const demo = await openDemoRegistry();
  const runtime = await open();
  return {
    runtime,
    images: demo.images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await demo.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
