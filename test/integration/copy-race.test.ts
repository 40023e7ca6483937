/** A container that swaps a directory for a symlink as fast as it can, while 20,000 files are copied: nothing of the host shows or changes. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openRuntime, standaloneId } from "../../src/index.ts";
import { writeTar } from "../../src/testing/tar-writer.ts";
import { pushDemoImage } from "../support/demo.ts";
import { startRegistry } from "../support/registry-server.ts";

const filesPerArchive = 500;
/** Each in and out again. */
const rounds = 20;
const secret = "of the host, not of the container";

test("20,000 copies race with a swapping container", async () => {
  const root = mkdtempSync(join(tmpdir(), "berth-race-"));
  const registry = await startRegistry();
  const runtime = await openRuntime({ backend: "native", root });
  const id = standaloneId("racer");
  try {
    const image = await pushDemoImage(registry.host);
    await runtime.pullImage(image);
    const host = join(root, "host");
    mkdirSync(host);
    for (let index = 0; index < filesPerArchive; index++) writeFileSync(join(host, `f-${index}`), secret);
    const swap = `mkdir /race/dir; echo >/race/ready; while :; do mv /race/dir /race/kept; ln -s ${host} /race/dir; rm /race/dir; mv /race/kept /race/dir; done`;
    await runtime.createContainer(id, { image, networkMode: "none", command: { args: ["sh", "-c", swap] }, storage: [{ type: "tmpfs", target: "/race" }] });
    await runtime.startContainer(id);
    await runtime.exec(id, ["sh", "-c", "until [ -e /race/ready ]; do sleep 0.02; done"]);
    const tar = writeTar(Array.from({ length: filesPerArchive }, (_, index) => ({ name: `dir/f-${index}`, data: "of the container" })));
    let [written, seen] = [0, 0];
    for (let round = 0; round < rounds; round++) {
      await runtime.archivePut(id, "/race", tar).then(
        () => written++,
        () => {},
      );
      const bytes = await runtime.archiveGet(id, "/race/dir/").then(
        async (stream) => Buffer.concat(await Array.fromAsync(stream)),
        () => Buffer.alloc(0),
      );
      if (bytes.length > 0) seen++;
      assert.equal(bytes.includes(secret), false, "a file of the host came out");
    }
    assert.ok(written + seen > 0, "some copies went through");
    assert.equal(readdirSync(host).length, filesPerArchive, "nothing was made on the host");
    for (const name of readdirSync(host)) assert.equal(readFileSync(join(host, name), "utf8"), secret);
  } finally {
    await runtime.removeContainer(id).catch(() => {});
    await runtime.close();
    await registry.close();
    rmSync(root, { recursive: true, force: true });
  }
});
