/**
 * Runs one operation and says when it begins and ends, so that its parent can kill it in between. Without arguments it only
 * loads what it would need, for the compile cache: that is written by a process that may end by itself.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openRuntime, standaloneId } from "../../../src/index.ts";
import { operations } from "./table.ts";

if (process.argv.length === 2) {
  await import("../../../src/runtimes/native/open.ts");
  process.exit();
}
const [root = "", image = "", operationName, name = "", dir = ""] = process.argv.slice(2);
const operation = operations.find((one) => one.name === operationName);
if (operation === undefined) throw new Error(`no operation ${operationName}`);

const runtime = await openRuntime({ backend: "native", root, runDir: `${root}/run` });
const world = { runtime, image, name, id: standaloneId(name), dir };
await operation.prepare?.(world);
process.stdout.write("begin\n");
const begun = performance.now();
await operation.run(world);
process.stdout.write(`end ${performance.now() - begun}\n`);
await sleep(60_000);
