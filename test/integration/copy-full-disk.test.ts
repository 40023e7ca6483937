/** A full disk in the middle of `cp` and `commit`: a typed error, nothing half-visible, and everything else goes on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isBerthError, openRuntime, standaloneId } from "../../src/index.ts";
import { writeTar } from "../../src/testing/tar-writer.ts";
import { pushDemoImage } from "../support/demo.ts";
import { startRegistry } from "../support/registry-server.ts";

const mebibyte = 1024 * 1024;
const diskBytes = 96 * mebibyte;

function file(name: string, bytes: number): Buffer {
  return writeTar([{ name, data: Buffer.alloc(bytes, name) }]);
}

test("a full disk during cp and commit", async () => {
  const base = mkdtempSync(join(tmpdir(), "berth-full-"));
  const [disk, root] = [join(base, "disk.img"), join(base, "root")];
  writeFileSync(disk, "");
  truncateSync(disk, diskBytes);
  execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", disk]);
  mkdirSync(root);
  execFileSync("mount", ["-o", "loop", disk, root]);
  const registry = await startRegistry();
  const runtime = await openRuntime({ backend: "native", root, runDir: join(base, "run") });
  const id = standaloneId("full");
  try {
    const image = await pushDemoImage(registry.host);
    await runtime.pullImage(image);
    await runtime.createContainer(id, { image, networkMode: "none", command: { args: ["sleep", "100000"] }, stopGracePeriod: 100 });
    await runtime.startContainer(id);
    await assert.rejects(runtime.archivePut(id, "/tmp", file("too-large", 2 * diskBytes)), noSpace);
    await assert.rejects(runtime.archiveHead(id, "/tmp/too-large"), (error) => isBerthError(error, "not_found"));
    assert.equal((await runtime.exec(id, ["true"])).exitCode, 0);

    await runtime.archivePut(id, "/tmp", file("fits", diskBytes / 2));
    await assert.rejects(runtime.commitContainer(id, { repo: "made/of-it" }), noSpace);
    assert.deepEqual(
      (await runtime.listImages()).map(({ reference }) => reference),
      [image],
    );
    assert.equal((await runtime.inspectDetailed(id)).paused, false);
    assert.equal((await runtime.exec(id, ["rm", "/tmp/fits"])).exitCode, 0);
    await runtime.archivePut(id, "/tmp", file("small", mebibyte));
    await runtime.commitContainer(id, { repo: "made/of-it" });
    await runtime.removeImage("made/of-it", false);

    await assert.rejects(runtime.archivePut(id, "/tmp", file("too-large", 2 * diskBytes)), noSpace);
    await runtime.stopContainer(id);
    await runtime.pruneImages();
    await runtime.removeContainer(id);
    await runtime.removeImage(image, false);
  } finally {
    await runtime.removeContainer(id).catch(() => {});
    await runtime.close();
    await registry.close();
    execFileSync("umount", ["-l", root]);
    rmSync(base, { recursive: true, force: true });
  }
});

function noSpace(error: unknown): boolean {
  assert.ok(isBerthError(error, "internal"), String(error));
  assert.match(error.message, /no space left/);
  return true;
}
