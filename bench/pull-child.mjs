/**
 * Pulls one image into an empty store in a process of its own, and prints the milliseconds: `pull-child.mjs ROOT RUN IMAGE`.
 * JavaScript, because Node's type stripper would add 30 MB to the memory that is measured.
 */
import { openRuntime } from "berth";

const [root = "", runDir = "", image = ""] = process.argv.slice(2);
const runtime = await openRuntime({ backend: "native", root, runDir });
const begun = performance.now();
await runtime.pullImageWithPolicy(image, "always");
process.stdout.write(`${performance.now() - begun}\n`);
await runtime.close();
