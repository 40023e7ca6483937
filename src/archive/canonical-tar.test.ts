import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { collect, listTar } from "../testing/tar-listing.ts";
import { type TarFixture, writeTar } from "../testing/tar-writer.ts";
import { canonicalTar, type CanonicalTarOptions } from "./canonical-tar.ts";

async function* pieces(tar: Buffer, size: number): AsyncGenerator<Buffer> {
  // One buffer for all of them, as a decompressor has it.
  const shared = Buffer.alloc(size);
  for (let at = 0; at < tar.length; at += size) yield shared.subarray(0, tar.copy(shared, 0, at, at + size));
}

async function rewritten(entries: readonly TarFixture[], o?: CanonicalTarOptions, size = 700): Promise<ReturnType<typeof listTar>> {
  return listTar(await collect(canonicalTar(pieces(writeTar(entries), size), o)));
}

const everything: readonly TarFixture[] = [
  { name: "d/", mode: 0o1775, uid: 5, gid: 6, mtime: 1_000_000_000 },
  { name: "d/f", data: "x".repeat(3000), mode: 0o4751, uid: 3_000_000, gid: 4321, mtime: 1_234_567_890.5, xattrs: { "user.note": "kept" } },
  { name: "d/empty" },
  { name: "d/hard", type: "hardlink", linkName: "d/f" },
  { name: "d/link", linkName: "/../any/where", uid: 7, gid: 8 },
  { name: "d/null", type: "character", devMajor: 1, devMinor: 3 },
  { name: "d/pipe", type: "fifo" },
  { name: `d/${"long-".repeat(60)}name`, data: "long" },
  { name: Buffer.from([...Buffer.from("d/"), 0xff, 0xfe]), data: "bytes" },
];

describe("a tar written anew", () => {
  test("has what the old one had, in pieces of any size", async () => {
    for (const size of [1, 513, 100_000]) assert.deepEqual(await rewritten(everything, {}, size), listTar(writeTar(everything)));
  });

  test("gives all to one owner when asked to", async () => {
    const owners = (await rewritten(everything, { owner: { uid: 1, gid: 2 } })).map(({ uid, gid }) => `${uid}:${gid}`);
    assert.deepEqual([...new Set(owners)], ["1:2"]);
  });

  test("has names below the directory it is unpacked in, and says nothing about that itself", async () => {
    const seen = await rewritten([
      { name: "./", mode: 0o700 },
      { name: "/absolute", data: "a" },
      { name: "a/../b/./c", data: "c" },
      { name: "hard", type: "hardlink", linkName: "/absolute" },
    ]);
    assert.deepEqual(
      seen.map(({ name, linkName, data }) => [name, linkName, data.toString()]),
      [
        ["absolute", "", "a"],
        ["b/c", "", "c"],
        ["hard", "absolute", ""],
      ],
    );
  });

  test("ends before an entry that leads out", async () => {
    const escapes: readonly TarFixture[] = [
      { name: "../x", data: "x" },
      { name: "/../x", data: "x" },
      { name: "sub/../../x", data: "x" },
      { name: "x", type: "hardlink", linkName: "../../etc/passwd" },
      { name: "x", type: "hardlink", linkName: "." },
    ];
    for (const entry of escapes) {
      const given: Buffer[] = [];
      const reading = (async () => {
        for await (const chunk of canonicalTar(pieces(writeTar([{ name: "before", data: "kept" }, entry]), 512))) given.push(chunk);
      })();
      await assert.rejects(reading, (error) => isBerthError(error, "invalid_spec"));
      assert.deepEqual(
        listTar(Buffer.concat(given)).map(({ name }) => name),
        ["before"],
      );
    }
  });

  test("has no end when the old one breaks off", async () => {
    const tar = writeTar([{ name: "f", data: "x".repeat(1000) }]);
    for (const length of [300, 600]) {
      await assert.rejects(collect(canonicalTar(pieces(tar.subarray(0, length), 512))), (error) => isBerthError(error, "pull_failed"));
    }
  });
});
