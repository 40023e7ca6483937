/** Runs inside the virtual machine of `scripts/test-cgroup2`: the contract cases that touch cgroups, with one OCI runtime. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNativeRuntime } from "../../../src/runtimes/native/open.ts";
import { allCases } from "../../../src/testing/cases/all.ts";
import { buildDemoImage, type DemoVariant } from "../../../src/testing/demo-image.ts";
import { type OpenedBackend, runContract } from "../../../src/testing/run-contract.ts";
import { writeTar } from "../../../src/testing/tar-writer.ts";
import { buildImage } from "../../../test/support/push.ts";

/** Limits, statistics, pause, update, OOM, kill of a tree, restart, exec. */
const touching = [
  /\bmemory limit\b|exceeds its memory|limit of processes|cores become|shares become|processors it was given|without limits|cgroups of others/,
  /running container uses memory|limits appear in the statistics|work costs processor time|stats stream begins|stats stream ends|network|bytes written/,
  /paused/,
  /\bupdate\b|fields without effect|quota, period/,
  /stop with timeout 0|children|first process|stop and start again/,
  /exec handle|whole tree|right after the start reaches|before its timeout|timeout ends|left at the end of its scope|size it was opened with|pid of an exec|limits of its container|privileged exec/,
  /top shows|prune removes what was created/,
];
const slow = /hundred|waits for ever|100 000/;

const chosen = allCases.filter(({ name, needs }) => touching.some((pattern) => pattern.test(name)) && !slow.test(name) && !needs.includes("networks"));
const [ociRuntime = "crun"] = process.argv.slice(2);

runContract({
  name: `native with ${ociRuntime} on cgroup v2`,
  open: openGuest,
  cases: chosen,
  timeoutMs: 600_000,
  lacks: {
    "wait-status": "the kernel is older than 6.15",
    "host-network": "the machine has no network",
    networks: "the machine has no network",
    "name-resolution": "the machine has no network",
    "private-registry": "there is no registry in the machine",
  },
});

async function openGuest(): Promise<OpenedBackend> {
  const root = mkdtempSync(join(tmpdir(), "berth-cgroup2-"));
  const open = (): ReturnType<typeof openNativeRuntime> => openNativeRuntime({ root, runDir: join(root, "run"), ociRuntime });
  const runtime = await open();
  const [demo, configured] = [reference("plain"), reference("configured")];
  for (const variant of ["plain", "configured"] as const) {
    for await (const _ of await runtime.loadImages(archive(variant), true)) {
      // Progress.
    }
  }
  const absent = async (): Promise<never> => {
    throw new Error("there is no registry in this machine");
  };
  return {
    runtime,
    images: { demo, configured, otherPlatform: "none.test/other:1", missing: "none.test/missing:1", fresh: absent, republish: absent, losable: absent },
    reopen: open,
    close: async () => {
      await runtime.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

function reference(variant: DemoVariant): string {
  return `registry.test/${variant}:1`;
}

/** As `docker save` writes it. */
function archive(variant: DemoVariant): Uint8Array {
  const { layers, config } = buildImage(buildDemoImage(variant));
  const files = layers.map((data, index) => ({ name: `layer-${index}.tar`, data }));
  const manifest = [{ Config: "config.json", RepoTags: [reference(variant)], Layers: files.map(({ name }) => name) }];
  return writeTar([{ name: "manifest.json", data: JSON.stringify(manifest) }, { name: "config.json", data: JSON.stringify(config) }, ...files]);
}
