/** The images the bench works on, built by code from a seed: the same bytes on every machine. */
import { readFileSync } from "node:fs";
import { type TarFixture, writeTar } from "../src/testing/tar-writer.ts";
import { buildImage, pushImage } from "../test/support/push.ts";

/** busybox and the commands the cases call. Answers the reference. */
export async function pushBusybox(host: string): Promise<string> {
  const directories = ["bin", "dev", "etc", "proc", "sys", "tmp"].map((name) => ({ name: `${name}/` }));
  const links = ["true", "sh", "sleep"].map((name) => ({ name: `bin/${name}`, linkName: "busybox" }));
  const busybox = { name: "bin/busybox", data: readFileSync("/bin/busybox"), mode: 0o755 };
  const image = buildImage({ layers: [writeTar([...directories, busybox, ...links])], config: { config: { Cmd: ["/bin/true"], Env: ["PATH=/bin"] } } });
  return (await pushImage(host, "bench/busybox", "latest", { ...image, format: "docker" })).reference;
}

export interface PullShape {
  readonly layers: number;
  readonly filesPerLayer: number;
  readonly bytesPerLayer: number;
}

/** 300 MB in 20,000 files. */
export const pullShape: PullShape = { layers: 10, filesPerLayer: 2000, bytesPerLayer: 30_000_000 };

/** Many files whose text compresses about 3:1, as program text and libraries do. Answers the reference. */
export async function pushPullImage(host: string, shape: PullShape = pullShape): Promise<string> {
  const random = seeded(42);
  const text = wordText(random, 8_000_000);
  const layers = Array.from({ length: shape.layers }, (_, layer) => writeTar(layerEntries(`l${layer}`, shape, text, random)));
  return (await pushImage(host, "bench/pull", "latest", { ...buildImage({ layers }), format: "docker" })).reference;
}

const filesPerDirectory = 50;

function layerEntries(top: string, shape: PullShape, text: Buffer, random: () => number): TarFixture[] {
  const entries: TarFixture[] = [{ name: `${top}/` }];
  const meanSize = shape.bytesPerLayer / shape.filesPerLayer;
  for (let file = 0; file < shape.filesPerLayer; file++) {
    const directory = `${top}/d${Math.floor(file / filesPerDirectory)}/`;
    if (file % filesPerDirectory === 0) entries.push({ name: directory });
    const size = Math.floor(meanSize * 2 * random());
    const from = Math.floor(random() * (text.length - size));
    entries.push({ name: `${directory}f${file}`, data: text.subarray(from, from + size) });
  }
  return entries;
}

const vocabulary = 2048;

/** Random words of one vocabulary: what repeats lies as far apart as gzip needs to find two thirds of it. */
function wordText(random: () => number, length: number): Buffer {
  const letters = "etaoinshrdlucmfwypvbgkqjxz0123456789_().;{}";
  const letter = () => letters[Math.floor(random() ** 1.5 * letters.length)] ?? "e";
  const word = () => Array.from({ length: 3 + Math.floor(random() * 9) }, letter).join("");
  const words = Array.from({ length: vocabulary }, word);
  const text = Buffer.alloc(length);
  for (let at = 0; at < length; ) at += text.write(`${words[Math.floor(random() * vocabulary)]} `, at);
  return text;
}

/** mulberry32: small, fast and the same everywhere. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
