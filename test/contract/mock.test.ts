import { superviseUntilClosed } from "../../src/open-runtime.ts";
import { createMockRuntime } from "../../src/runtimes/mock/index.ts";
import { runContract } from "../../src/testing/run-contract.ts";
import { simulateProgram } from "../../src/testing/simulate.ts";
import { mockLacks, publishImages } from "../support/mock-images.ts";

runContract({
  name: "mock",
  open: async () => {
    const runtime = superviseUntilClosed(createMockRuntime({ programs: simulateProgram }));
    return { runtime, images: publishImages(runtime), reopen: async () => runtime.reopen(), close: () => runtime.close() };
  },
  lacks: mockLacks,
});
