import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TarReader } from "../../archive/tar-reader.ts";
import { writeTar } from "../../testing/tar-writer.ts";
import { mergeArchives } from "./merge-archives.ts";

const docker = (name: string) => [{ Config: `${name}.json`, RepoTags: [`${name}:1`], Layers: ["layer.tar"] }];

function archiveOf(name: string, o: { readonly oci: boolean }): Buffer {
  const oci = [
    { name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' },
    { name: "index.json", data: JSON.stringify({ schemaVersion: 2, manifests: [{ digest: name }] }) },
  ];
  return writeTar([
    { name: `${name}.json`, data: "{}" },
    { name: "layer.tar", data: "x".repeat(100_000), mtime: 7 },
    ...(o.oci ? oci : []),
    { name: "manifest.json", data: JSON.stringify(docker(name)) },
  ]);
}

/** Cut where no block ends. */
async function* pieces(archive: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += 1000) yield archive.subarray(at, at + 1000);
}

async function merged(...archives: readonly Buffer[]): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  let open = "";
  const reader = new TarReader({
    begin: ({ name }) => {
      assert.ok(!files.has(name), `${name} is there once`);
      files.set((open = name), "");
    },
    data: (chunk) => void files.set(open, `${files.get(open)}${chunk}`),
    end: () => {},
  });
  for await (const chunk of mergeArchives(archives.map(pieces))) reader.write(Buffer.from(chunk));
  reader.finish();
  return files;
}

describe("mergeArchives", () => {
  test("every image is listed, in both layouts, and what they share is there once", async () => {
    const files = await merged(archiveOf("a", { oci: true }), archiveOf("b", { oci: true }));
    assert.deepEqual(JSON.parse(files.get("manifest.json") ?? ""), [...docker("a"), ...docker("b")]);
    assert.deepEqual(JSON.parse(files.get("index.json") ?? ""), { schemaVersion: 2, manifests: [{ digest: "a" }, { digest: "b" }] });
    assert.equal(files.get("layer.tar")?.length, 100_000);
    assert.equal(files.get("oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  });

  test("with an archive of Docker's layout alone the result has no index that leaves its images out", async () => {
    const files = await merged(archiveOf("a", { oci: true }), archiveOf("b", { oci: false }));
    assert.deepEqual([...files.keys()].sort(), ["a.json", "b.json", "layer.tar", "manifest.json"]);
  });

  test("an archive that breaks off is an error", async () => {
    await assert.rejects(merged(archiveOf("a", { oci: true }).subarray(0, 5000)), /truncated/);
  });
});
