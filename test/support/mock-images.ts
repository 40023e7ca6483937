/** What contract cases pull, published to the simulated registry of a mock. */
import type { MockRuntime } from "../../src/runtimes/mock/mock-runtime.ts";
import type { ContractImages, Trait } from "../../src/testing/contract.ts";
import { demoConfigs } from "../../src/testing/demo-image.ts";

/** What no simulation has, and why. */
export const mockLacks: Partial<Readonly<Record<Trait, string>>> = {
  kernel: "everything is simulated in memory, so nothing can be seen from inside",
  oom: "there is no memory to exceed",
  "host-network": "simulated addresses lead nowhere",
};

const host = "registry.example:5000";
const layerSizes = [2_000_000, 4096];

export function publishImages(runtime: MockRuntime): ContractImages {
  const { control } = runtime;
  const account = { username: "alice", password: "correct horse" };
  let last = 0;
  const history = ["busybox and users", "second layer"].map((createdBy) => ({ created: "2026-01-01T00:00:00Z", createdBy }));
  const add = (name: string, image: Parameters<typeof control.publishImage>[1]): string =>
    control.publishImage(`${host}/${name}`, { layerSizes, history, ...image }).reference;
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
