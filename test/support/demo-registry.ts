import { buildDemoImage, type DemoVariant } from "../../src/testing/demo-image.ts";
import type { ContractImages } from "../../src/testing/contract.ts";
import { buildImage, type ImageParts, pushImage, pushIndex } from "./push.ts";
import { type RegistryServer, startRegistry } from "./registry-server.ts";

const account = { username: "alice", password: "correct-horse-4711" };

/** Real registries that hold the demo images contract cases pull: an open one, and one that wants an account. */
export async function openDemoRegistry(): Promise<{ readonly images: ContractImages; close(): Promise<void> }> {
  const [open, guarded] = await Promise.all([startRegistry(), startRegistry({ auth: account })]);
  const others: RegistryServer[] = [];
  const { host } = open;
  const plain = parts("plain");
  let last = 0;
  const push = async (name: string, image: ImageParts): Promise<string> => (await pushImage(host, name, "1", image)).reference;
  const images: ContractImages = {
    demo: await push("demo", plain),
    configured: await push("configured", parts("configured")),
    otherPlatform: await pushForeign(host),
    missing: `${host}/missing:1`,
    private: { reference: (await pushImage(guarded.host, "private", "1", { ...plain, auth: account })).reference, ...account },
    fresh: async () => await push(`fresh-${++last}`, plain),
    republish: async (reference) => {
      await push(reference.slice(host.length + 1, -":1".length), parts("plain", `republished ${++last}`));
    },
    losable: async () => {
      const lost = await startRegistry();
      others.push(lost);
      const { reference } = await pushImage(lost.host, "losable", "1", plain);
      return { reference, lose: () => lost.close(), restore: async () => {} };
    },
  };
  return { images, close: async () => void (await Promise.all([open, guarded, ...others].map((server) => server.close()))) };
}

function parts(variant: DemoVariant, stamp?: string): ImageParts {
  return buildImage(buildDemoImage(variant, { stamp }));
}

/** An index with nothing for this machine's processor. */
async function pushForeign(host: string): Promise<string> {
  const image = buildImage(buildDemoImage("plain", { architecture: "s390x" }));
  const { manifest } = await pushImage(host, "foreign", "s390x", image);
  await pushIndex(host, "foreign", "1", { manifests: [{ ...manifest, platform: { os: "linux", architecture: "s390x" } }] });
  return `${host}/foreign:1`;
}
