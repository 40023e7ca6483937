/** The contract through the composite, in front of two mocks: everything passes through unchanged. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { superviseUntilClosed } from "../../src/open-runtime.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { openCompositeRuntime } from "../../src/runtimes/composite/open.ts";
import { createMockRuntime } from "../../src/runtimes/mock/index.ts";
import { type OpenedBackend, runContract } from "../../src/testing/run-contract.ts";
import { simulateProgram } from "../../src/testing/simulate.ts";
import { mockLacks, publishImages } from "../support/mock-images.ts";

runContract({ name: "composite of two mocks", open: openTwoMocks, lacks: mockLacks });

async function openTwoMocks(): Promise<OpenedBackend> {
  const root = mkdtempSync(join(tmpdir(), "berth-contract-"));
  const primary = superviseUntilClosed(createMockRuntime({ programs: simulateProgram }));
  const secondary = superviseUntilClosed(createMockRuntime({ programs: simulateProgram, registry: primary.control.registry }));
  const images = publishImages(primary);
  const open = (): Promise<Runtime> =>
    openCompositeRuntime({
      root,
      children: [
        { name: "one", runtime: primary.reopen(), os: ["linux"] },
        { name: "two", runtime: secondary.reopen(), os: ["linux"] },
      ],
    });
  const runtime = await open();
  return {
    runtime,
    images,
    reopen: open,
    close: async () => {
      await runtime.close();
      await Promise.all([primary.close(), secondary.close()]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
