import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, linkSync, lutimesSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { TarReader } from "./tar-reader.ts";
import { TreeTar } from "./tree-walk.ts";
import { TreeWriter } from "./tree-writer.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "berth-tree-"));
  mkdirSync(join(dir, "from"));
  mkdirSync(join(dir, "to"));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A sink that keeps everything, and hands out little room at a time. */
class Collected {
  readonly parts: Buffer[] = [];
  readonly #room = Buffer.alloc(1000);

  room(): Buffer {
    return this.#room;
  }

  wrote(bytes: number): void {
    this.parts.push(Buffer.from(this.#room.subarray(0, bytes)));
  }

  write(bytes: Uint8Array): void {
    this.parts.push(Buffer.from(bytes));
  }
}

function tarOf(path: string, skipped: string[] = []): Buffer {
  const sink = new Collected();
  const tar = new TreeTar(sink, { onSkip: (name, why) => void skipped.push(`${name} ${why}`) });
  const fd = openSync(path, "r");
  tar.directory(fd, "top");
  closeSync(fd);
  tar.finish();
  return Buffer.concat(sink.parts);
}

function extract(tar: Buffer, to: string, o: ConstructorParameters<typeof TreeWriter>[1] = {}): void {
  const fd = openSync(to, "r");
  const writer = new TreeWriter(fd, o);
  const reader = new TarReader(writer);
  try {
    reader.write(tar);
    reader.finish();
    writer.finish();
  } finally {
    writer.close();
    closeSync(fd);
  }
}

describe("trees and tars", () => {
  test("equal trees make equal bytes, and come out as they went in", () => {
    const from = join(dir, "from");
    writeFileSync(join(from, "f"), "content");
    linkSync(join(from, "f"), join(from, "z"));
    symlinkSync("f", join(from, "s"));
    writeFileSync(join(from, "holes"), "");
    truncateSync(join(from, "holes"), 100_000);
    for (const name of ["f", "s", "holes", ""]) lutimesSync(join(from, name), 1_700_000_000, 1_700_000_000.25);
    const tar = tarOf(from);
    assert.ok(tar.equals(tarOf(from)));
    extract(tar, join(dir, "to"));
    assert.ok(tarOf(join(dir, "to/top")).equals(tar));
  });

  test("a socket is left out and told", async () => {
    const server = createServer().listen(join(dir, "from/socket"));
    await once(server, "listening");
    const skipped: string[] = [];
    const tar = tarOf(join(dir, "from"), skipped);
    server.close();
    assert.deepEqual(skipped, ["top/socket is a socket"]);
    assert.equal(tar.length % 512, 0);
  });

  test("below a directory of the host no symlink is followed", () => {
    mkdirSync(join(dir, "from/sub"));
    writeFileSync(join(dir, "from/sub/f"), "x");
    mkdirSync(join(dir, "outside"));
    mkdirSync(join(dir, "to/top"));
    symlinkSync(join(dir, "outside"), join(dir, "to/top/sub"));
    const noSub = tarOf(join(dir, "from"));
    assert.throws(() => extract(noSub, join(dir, "to"), { beneath: true, noOverwriteDirNonDir: true }), { code: "invalid_spec" });
    assert.deepEqual(readFileSync(join(dir, "from/sub/f"), "utf8"), "x");
    assert.throws(() => readFileSync(join(dir, "outside/f")), { code: "ENOENT" });
  });

  test("names are changed on the way, of hard links' targets too", () => {
    writeFileSync(join(dir, "from/f"), "content");
    linkSync(join(dir, "from/f"), join(dir, "from/g"));
    extract(tarOf(join(dir, "from")), join(dir, "to"), { rename: (name) => name.replace(/^top/, "renamed") });
    assert.equal(readFileSync(join(dir, "to/renamed/g"), "utf8"), "content");
  });
});
