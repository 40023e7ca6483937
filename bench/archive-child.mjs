/**
 * One step with archives in a process of its own; prints the milliseconds: `archive-child.mjs load|save|import|export|commit ROOT
 * RUN WHAT`. WHAT is a file to load, an image to save or to export a container of, or a number of zero bytes to import as a layer or
 * to put into a container of that image and to commit. JavaScript, because Node's type stripper would add 30 MB to the memory that
 * is measured.
 */
import { createReadStream } from "node:fs";
import { openRuntime, standaloneId } from "berth";

const [step = "", root = "", runDir = "", what = ""] = process.argv.slice(2);
const runtime = await openRuntime({ backend: "native", root, runDir });
const begun = performance.now();
if (step === "load") for await (const _ of await runtime.loadImages(createReadStream(what, { highWaterMark: 1 << 20 }), true));
if (step === "save") for await (const _ of await runtime.saveImages([what]));
if (step === "import") await runtime.importImage(zeros(Number(what)), "bench/zeros", "latest");
if (step === "export") for await (const _ of await runtime.exportContainerFs(await container(what)));
if (step === "commit") {
  const id = await container("bench/zeros");
  await runtime.archivePut(id, "/", zeros(Number(what)));
  await runtime.commitContainer(id, {});
}
process.stdout.write(`${performance.now() - begun}\n`);
await runtime.close();

/** One that is never started. */
async function container(image) {
  const id = standaloneId(`archive-${step}`);
  await runtime.createContainer(id, { image, command: { args: ["/nothing"] }, networkMode: { mode: "none" } });
  return id;
}

/** A tar of one file of zeros. */
async function* zeros(size) {
  const header = Buffer.alloc(512);
  header.write("zeros", 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        0", 148);
  header.write("ustar\x0000", 257, "latin1");
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  yield header;
  for (let left = size; left > 0; left -= 1 << 20) yield Buffer.alloc(Math.min(1 << 20, left));
  yield Buffer.alloc(1024);
}
