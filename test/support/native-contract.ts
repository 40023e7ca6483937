import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime, type Runtime } from "../../src/index.ts";
import { networkSchema } from "../../src/network/records.ts";
import { openNetworkStack } from "../../src/network/stack.ts";
import { layout } from "../../src/runtimes/native/layout.ts";
import { openDatabase } from "../../src/state/database.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { openDemoRegistry } from "./demo-registry.ts";

/** The contract on the native backend with one OCI runtime. */
export function runNativeContract(ociRuntime: "crun" | "runc"): void {
  runContract({
    name: `native with ${ociRuntime}`,
    open: () => openNative(ociRuntime),
    lacks: { "name-resolution": "names on bridge networks come with the DNS server of the next release" },
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
    makeNetwork: (name) => makeNetwork(root, name),
    close: async () => {
      await runtime.close();
      await demo.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** As the network command of a later release will: through the records the backend reads. */
async function makeNetwork(root: string, name: string): Promise<void> {
  const db = await openDatabase(layout(root, join(root, "run")).database, [networkSchema]);
  const uuid = String(db.prepare("select value from engine where key = 'uuid'").get()?.["value"]);
  openNetworkStack({ db, uuid, defaultRoot: false }).createNetwork({ name });
  db.close();
}
