/** Runs one operation of the native backend and says when it begins, so that the parent can kill it in the middle. */
import { setTimeout as sleep } from "node:timers/promises";
import { openRuntime, standaloneId } from "../../src/index.ts";

const [root, runDir, image, operation, name] = process.argv.slice(2) as [string, string, string, string, string];
const runtime = await openRuntime({ backend: "native", root, runDir });
const id = standaloneId(name);
const spec = { image, command: { entrypoint: ["sleep", "1000"] }, portMappings: [{ containerPort: 80, hostIp: "127.0.0.1" }] };

const prepare: Record<string, () => Promise<void>> = {
  pull: async () => {},
  create: async () => {},
  start: async () => runtime.createContainer(id, spec),
  remove: async () => {
    await runtime.createContainer(id, spec);
    await runtime.startContainer(id);
  },
};
const act: Record<string, () => Promise<void>> = {
  pull: () => runtime.pullImageWithPolicy(image, "always"),
  create: () => runtime.createContainer(id, { ...spec, storage: [{ type: "anonymous", target: "/etc" }] }),
  start: () => runtime.startContainer(id),
  remove: () => runtime.removeContainer(id),
};

await prepare[operation]?.();
process.stdout.write("begin\n");
await act[operation]?.();
process.stdout.write("end\n");
await sleep(60_000);
