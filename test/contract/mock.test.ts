import { createMockRuntime } from "../../src/runtimes/mock/index.ts";
import type { MockRuntime } from "../../src/runtimes/mock/mock-runtime.ts";
import type { ContractImages } from "../../src/testing/contract.ts";
import { demoConfigs } from "../../src/testing/demo-image.ts";
import { runContract } from "../../src/testing/run-contract.ts";
import { simulateProgram } from "../../src/testing/simulate.ts";

const host = "registry.example:5000";
const layerSizes = [2_000_000, 4096];

runContract({
  name: "mock",
  open: async () => {
    const runtime = createMockRuntime({ programs: simulateProgram });
    return { runtime, images: publish(runtime), reopen: async () => runtime.reopen(), makeNetwork: async () => {}, close: () => runtime.close() };
  },
  lacks: {
    kernel: "everything is simulated in memory, so nothing can be seen from inside",
    oom: "there is no memory to exceed",
    "host-network": "simulated addresses lead nowhere",
  },
});

function publish(runtime: MockRuntime): ContractImages {
  const { control } = runtime;
  const account = { username: "alice", password: "correct horse" };
  let last = 0;
  const add = (name: string, image: Parameters<typeof control.publishImage>[1]): string =>
    control.publishImage(`${host}/${name}`, { layerSizes, ...image }).reference;
  const fresh = async (): Promise<string> => add(`fresh:${++last}`, { config: demoConfigs.plain });
  return {
    demo: add("demo:1", { config: demoConfigs.plain }),
    configured: add("configured:1", { config: demoConfigs.configured }),
    otherPlatform: add("foreign:1", { platform: { os: "linux", architecture: "s390x" } }),
    missing: `${host}/missing:1`,
    private: { reference: add("private:1", { account }), ...account },
    fresh,
    republish: async (reference) => void control.publishImage(reference, { config: demoConfigs.plain, layerSizes: [2_000_000, 5000 + ++last] }),
    losable: async () => ({
      reference: await fresh(),
      lose: async () => control.setRegistryReachable(false),
      restore: async () => control.setRegistryReachable(true),
    }),
  };
}
