import assert from "node:assert/strict";
import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { lgetxattr, major, minor } from "../internal/libc.ts";
import { sha256 } from "../spec/digest.ts";
import { type TarFixture, writeTar } from "../testing/tar-writer.ts";
import { GrowthNotice } from "./growing-file.ts";
import type { Unpacked } from "./unpack.ts";
import { UnpackPool } from "./unpack-pool.ts";

const root = mkdtempSync(join(tmpdir(), "berth-unpack-"));
const pool = new UnpackPool(2);
const held = pool.hold();
after(() => {
  held[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});
let count = 0;

interface Result {
  readonly fs: string;
  readonly unpacked: Unpacked | undefined;
}

/** Unpacks stored bytes beside a decoy that nothing may touch. */
async function unpackBytes(stored: Uint8Array): Promise<Result> {
  const base = join(root, String(++count));
  const fs = join(base, "fs");
  mkdirSync(fs, { recursive: true });
  writeFileSync(join(base, "decoy"), "untouched");
  writeFileSync(join(base, "blob"), stored);
  const fd = openSync(join(base, "blob"), "r");
  const growth = new GrowthNotice();
  growth.publish(stored.length);
  growth.finish();
  try {
    return { fs, unpacked: await pool.run({ kind: "unpack", fd, growth: growth.shared, directory: fs }) };
  } finally {
    closeSync(fd);
    assert.deepEqual(readdirSync(base).sort(), ["blob", "decoy", "fs"]);
    assert.equal(readFileSync(join(base, "decoy"), "utf8"), "untouched");
    assert.equal(lstatSync(join(base, "decoy")).mode & 0o7777, 0o644);
  }
}

const unpackTar = (entries: readonly TarFixture[]): Promise<Result> => unpackBytes(writeTar(entries));

async function refused(entries: readonly TarFixture[], message: RegExp): Promise<void> {
  await assert.rejects(unpackTar(entries), { code: "pull_failed", message });
}

const isWhiteout = (path: string): boolean => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0;
const isOpaque = (path: string): boolean => Buffer.from(lgetxattr(path, "trusted.overlay.opaque") ?? []).toString() === "y";
const tree = (path: string): string[] => readdirSync(path, { recursive: true, encoding: "utf8" }).sort();

describe("unpacking a layer", () => {
  test("files, directories and links with their owners, modes and times", async () => {
    const { fs, unpacked } = await unpackTar([
      { name: "./", mode: 0o711, uid: 3, mtime: 1000 },
      { name: "bin/", mode: 0o2755, gid: 9, mtime: 2000 },
      { name: "bin/su", data: "#!", mode: 0o4755, uid: 7, gid: 8, mtime: 3000.25 },
      { name: "bin/plain", data: "", mode: 0o666 },
      { name: "bin/sub/", mode: 0o700 },
      { name: "sh", linkName: "bin/su", uid: 5, mtime: 4000 },
      { name: "hard", type: "hardlink", linkName: "/bin/su" },
      { name: "made/on/the/way", data: "x".repeat(700_000) },
    ]);
    const stat = (name: string) => lstatSync(join(fs, name));
    assert.deepEqual([stat("").mode & 0o7777, stat("").uid, stat("").mtimeMs], [0o711, 3, 1_000_000]);
    assert.deepEqual([stat("bin").mode & 0o7777, stat("bin").gid, stat("bin").mtimeMs], [0o2755, 9, 2_000_000]);
    assert.deepEqual([stat("bin/su").mode & 0o7777, stat("bin/su").uid, stat("bin/su").gid, stat("bin/su").mtimeMs], [0o4755, 7, 8, 3_000_250]);
    assert.deepEqual([stat("bin/plain").mode & 0o7777, stat("bin/plain").gid], [0o666, 0], "neither umask nor setgid parent");
    assert.deepEqual([stat("bin/sub").mode & 0o7777, stat("bin/sub").gid], [0o700, 0]);
    assert.deepEqual([readlinkSync(join(fs, "sh")), stat("sh").uid, stat("sh").mtimeMs], ["bin/su", 5, 4_000_000]);
    assert.equal(stat("hard").ino, stat("bin/su").ino);
    assert.equal(statSync(join(fs, "made/on/the/way")).size, 700_000);
    assert.equal(stat("made/on").mode & 0o7777, 0o755);
    assert.equal(unpacked?.sizeBytes, 700_002);
  });

  for (const [name, compress] of Object.entries({ plain: (b: Buffer) => b, gzip: gzipSync, zstd: zstdCompressSync })) {
    test(`${name}: content and diffID`, async () => {
      const tar = writeTar([{ name: "f", data: Buffer.alloc(3_000_000, "some text ") }]);
      const { fs, unpacked } = await unpackBytes(compress(tar));
      assert.equal(unpacked?.diffId, sha256(tar));
      assert.equal(statSync(join(fs, "f")).size, 3_000_000);
    });
    test(`${name}: truncated or damaged`, async () => {
      const stored = compress(writeTar([{ name: "f", data: Buffer.from(Array.from({ length: 9999 }, (_, i) => (i * 7919) % 251)) }]));
      await assert.rejects(unpackBytes(stored.subarray(0, stored.length / 2)), { code: "pull_failed", message: /malformed layer/ });
    });
  }

  test("several gzip members, as parallel compressors write them", async () => {
    const tar = writeTar([{ name: "f", data: "x".repeat(5000) }]);
    const { unpacked } = await unpackBytes(Buffer.concat([gzipSync(tar.subarray(0, 1000)), gzipSync(tar.subarray(1000))]));
    assert.equal(unpacked?.diffId, sha256(tar));
  });

  test("a refused entry in the middle of much data ends it", async () => {
    const noise = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * i) % 253));
    const tar = writeTar([{ name: "a", data: noise }, { name: "../x" }, { name: "b", data: noise }, { name: "c", data: noise }]);
    for (const compress of [gzipSync, zstdCompressSync]) await assert.rejects(unpackBytes(compress(tar)), { code: "pull_failed", message: /leads out/ });
  });

  test("an empty layer", async () => {
    assert.deepEqual(tree((await unpackTar([])).fs), []);
  });

  test("bytes arrive while it unpacks, and a stop ends it", async () => {
    const tar = writeTar([
      { name: "a", data: "1".repeat(100_000) },
      { name: "b", data: "2" },
    ]);
    const base = join(root, String(++count));
    mkdirSync(join(base, "fs"), { recursive: true });
    writeFileSync(join(base, "blob"), tar);
    const fd = openSync(join(base, "blob"), "r");
    const growing = new GrowthNotice();
    const running = pool.run({ kind: "unpack", fd, growth: growing.shared, directory: join(base, "fs") });
    for (let at = 0; at < tar.length; at += 10_000) {
      growing.publish(at);
      await new Promise(setImmediate);
    }
    growing.publish(tar.length);
    growing.finish();
    assert.equal((await running)?.diffId, sha256(tar));
    const stopped = new GrowthNotice();
    const never = pool.run({ kind: "unpack", fd, growth: stopped.shared, directory: join(base, "fs") });
    stopped.publish(600);
    stopped.stop();
    await assert.rejects(never, { code: "aborted" });
    closeSync(fd);
  });

  test("devices and fifos", async () => {
    const { fs } = await unpackTar([
      { name: "null", type: "character", devMajor: 1, devMinor: 3, mode: 0o666, uid: 4 },
      { name: "disk", type: "block", devMajor: 259, devMinor: 300, mode: 0o660 },
      { name: "pipe", type: "fifo", mode: 0o622 },
    ]);
    const [device, disk] = [lstatSync(join(fs, "null")), lstatSync(join(fs, "disk"))];
    assert.deepEqual([device.isCharacterDevice(), major(device.rdev), minor(device.rdev), device.mode & 0o777, device.uid], [true, 1, 3, 0o666, 4]);
    assert.deepEqual([disk.isBlockDevice(), major(disk.rdev), minor(disk.rdev)], [true, 259, 300]);
    assert.ok(lstatSync(join(fs, "pipe")).isFIFO());
  });

  test("extended attributes: only what an image may decide", async () => {
    const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
    const { fs } = await unpackTar([
      {
        name: "ping",
        data: "x",
        uid: 1,
        xattrs: { "security.capability": capability, "user.note": "hi", "trusted.overlay.redirect": "/etc", "security.selinux": "x" },
      },
      { name: "dir/", xattrs: { "trusted.overlay.opaque": "y", "user.d": "1" } },
      { name: "sym", linkName: "ping", xattrs: { "user.note": "no" } },
    ]);
    assert.deepEqual(lgetxattr(join(fs, "ping"), "security.capability")?.length, 20);
    assert.equal(Buffer.from(lgetxattr(join(fs, "ping"), "user.note") ?? []).toString(), "hi");
    assert.equal(Buffer.from(lgetxattr(join(fs, "dir"), "user.d") ?? []).toString(), "1");
    for (const [file, name] of [
      ["ping", "trusted.overlay.redirect"],
      ["ping", "security.selinux"],
      ["dir", "trusted.overlay.opaque"],
    ] as const) {
      assert.equal(lgetxattr(join(fs, file), name), undefined);
    }
  });

  test("whiteouts and opaque directories", async () => {
    const { fs } = await unpackTar([
      { name: "gone/.wh.file" },
      { name: "opaque/new", data: "1" },
      { name: "opaque/.wh..wh..opq" },
      { name: ".wh..wh.aufs", data: "meta" },
      { name: ".wh..wh.plnk/", type: "directory" },
      { name: ".wh..wh.plnk/12.3", data: "x" },
      { name: ".wh.hard", type: "hardlink", linkName: ".wh..wh.aufs" },
      { name: ".wh.replaced" },
      { name: "replaced/", type: "directory" },
      { name: ".wh.file" },
      { name: "file", data: "new" },
      { name: "kept/", type: "directory" },
      { name: ".wh.kept" },
      { name: ".wh.implied" },
      { name: "implied/child", data: "c" },
    ]);
    assert.deepEqual(tree(fs), ["file", "gone", "gone/file", "hard", "implied", "implied/child", "kept", "opaque", "opaque/new", "replaced"]);
    assert.ok(isWhiteout(join(fs, "gone/file")) && isWhiteout(join(fs, "hard")));
    assert.equal(readFileSync(join(fs, "file"), "utf8"), "new");
    for (const name of ["opaque", "replaced", "kept", "implied"]) assert.ok(isOpaque(join(fs, name)), name);
    assert.ok(!isOpaque(join(fs, "gone")));
  });

  for (const name of [".wh.", "a/.wh..", "a/.wh...", ".wh.x/y"]) {
    test(`bad whiteout ${name}`, () => refused([{ name }], /malformed layer: entry .*whiteout/));
  }
  test("a whiteout that is a directory or symlink", async () => {
    await refused([{ name: ".wh.a/", type: "directory" }], /cannot be a directory/);
    await refused([{ name: ".wh.a", linkName: "/etc" }], /cannot be a symlink/);
  });

  test("later entries replace earlier ones, never writing through them", async () => {
    const { fs } = await unpackTar([
      { name: "a", data: "old" },
      { name: "a", data: "new", mode: 0o600 },
      { name: "was-link", linkName: "a" },
      { name: "was-link", data: "file" },
      { name: "was-dir/x/y", data: "1" },
      { name: "was-dir", data: "file" },
      { name: "was-file", data: "1" },
      { name: "was-file/", type: "directory" },
      { name: "twice/", mode: 0o700 },
      { name: "twice/in", data: "1" },
      { name: "twice/", mode: 0o755 },
      { name: "was-linked-dir", linkName: "twice" },
      { name: "was-linked-dir/", type: "directory" },
      { name: "was-linked-dir/own", data: "1" },
    ]);
    assert.equal(readFileSync(join(fs, "a"), "utf8"), "new");
    assert.equal(lstatSync(join(fs, "a")).mode & 0o777, 0o600);
    assert.ok(lstatSync(join(fs, "was-link")).isFile() && lstatSync(join(fs, "was-dir")).isFile() && lstatSync(join(fs, "was-file")).isDirectory());
    assert.deepEqual(tree(join(fs, "twice")), ["in"]);
    assert.equal(lstatSync(join(fs, "twice")).mode & 0o777, 0o755);
    assert.deepEqual(tree(join(fs, "was-linked-dir")), ["own"]);
  });

  test("parents that are symlinks are followed inside the layer only", async () => {
    const outside = join(root, "outside");
    mkdirSync(outside, { recursive: true });
    chmodSync(outside, 0o755);
    const { fs } = await unpackTar([
      { name: "usr/lib/", type: "directory" },
      { name: "lib", linkName: "usr/lib" },
      { name: "lib/libc", data: "1" },
      { name: "abs", linkName: "/usr" },
      { name: "abs/lib/libm", data: "2" },
      { name: "up", linkName: "../../../../../.." },
      { name: "up/evil", data: "3" },
      { name: "out", linkName: outside },
      { name: "out/evil", data: "4" },
      { name: "var/run", linkName: "/run" },
      { name: "var/run/lock", data: "5" },
    ]);
    assert.deepEqual(tree(join(fs, "usr")), ["lib", "lib/libc", "lib/libm"]);
    assert.equal(readFileSync(join(fs, "evil"), "utf8"), "3");
    assert.deepEqual(readdirSync(outside), []);
    assert.equal(readFileSync(join(fs, outside, "evil"), "utf8"), "4");
    assert.equal(readFileSync(join(fs, "run/lock"), "utf8"), "5");
  });

  test("names: absolute ones start at the layer, odd ones stay as they are", async () => {
    const { fs } = await unpackTar([
      { name: "/abs", data: "1" },
      { name: "a/../b", data: "2" },
      { name: "./c//d/.", data: "3", flag: "0" },
      { name: new Uint8Array([0xff, 0xfe]), data: "4" },
      { name: new Uint8Array([0xff, 0x2f, 0x2e, 0x77, 0x68, 0x2e, 0xfd]), data: "" },
      { name: "ünï", data: "5" },
    ]);
    const names = readdirSync(Buffer.from(fs), { encoding: "buffer" }).map((name) => name.toString("latin1"));
    assert.deepEqual(names.sort(), ["abs", "b", "c", Buffer.from("ünï").toString("latin1"), "\xff", "\xff\xfe"].sort());
    assert.deepEqual(tree(join(fs, "c")), ["d"]);
  });

  const hostile: Readonly<Record<string, readonly [readonly TarFixture[], RegExp]>> = {
    "../": [[{ name: "../decoy", data: "x" }], /entry "\.\.\/decoy": "\.\.\/decoy" leads out/],
    "../ in the middle": [[{ name: "a/../../decoy", data: "x" }], /leads out/],
    "absolute with ..": [[{ name: "/a/../b", data: "x" }], /leads out/],
    "..": [[{ name: "..", type: "directory" }], /leads out/],
    "directory ../": [[{ name: "../x/", type: "directory" }], /leads out/],
    "whiteout ../": [[{ name: "../.wh.decoy" }], /leads out/],
    "hardlink to ../": [[{ name: "h", type: "hardlink", linkName: "../decoy" }], /leads out/],
    "hardlink to /etc/passwd": [[{ name: "h", type: "hardlink", linkName: "/etc/passwd" }], /hardlink to "\/etc\/passwd", which is not in the layer/],
    "hardlink through a symlink": [
      [
        { name: "s", linkName: "/" },
        { name: "h", type: "hardlink", linkName: "s/etc/passwd" },
      ],
      /not in the layer/,
    ],
    "hardlink to a directory": [
      [
        { name: "d/", type: "directory" },
        { name: "h", type: "hardlink", linkName: "d" },
      ],
      /directory/,
    ],
    "symlink loop as parent": [
      [
        { name: "l", linkName: "l" },
        { name: "l/x", data: "1" },
      ],
      /too many symlinks/,
    ],
    "file as parent": [
      [
        { name: "f", data: "1" },
        { name: "f/x", data: "1" },
      ],
      /not a directory/,
    ],
    "root as file": [[{ name: "/", type: "file", flag: "2", linkName: "/etc" }], /root cannot be/],
    "component too long": [[{ name: "n".repeat(300), data: "1" }], /ENAMETOOLONG.*|at entry/],
    "socket or other type": [[{ name: "s", flag: "s" }], /unsupported entry type/],
  };
  for (const [name, [entries, message]] of Object.entries(hostile)) test(`refused: ${name}`, () => refused(entries, message));

  test("symlink, then write through it", async () => {
    const target = join(root, "victim");
    writeFileSync(target, "safe");
    const { fs } = await unpackTar([
      { name: "l", linkName: target },
      { name: "l", data: "overwritten" },
      { name: "m", linkName: "../../../../../etc" },
      { name: "m/berth-evil", data: "x" },
    ]);
    assert.equal(readFileSync(target, "utf8"), "safe");
    assert.equal(readFileSync(join(fs, "l"), "utf8"), "overwritten");
    assert.ok(existsSync(join(fs, "etc/berth-evil")) && !existsSync("/etc/berth-evil"));
  });

  test("a worker is as good as new after a refused layer", async () => {
    const single = new UnpackPool(1);
    using _held = single.hold();
    const base = join(root, String(++count));
    for (const name of ["bad", "good"]) mkdirSync(join(base, name), { recursive: true });
    const run = async (directory: string, tar: Buffer): Promise<Unpacked | undefined> => {
      writeFileSync(join(base, "blob"), tar);
      const fd = openSync(join(base, "blob"), "r");
      const growth = new GrowthNotice();
      growth.publish(tar.length);
      growth.finish();
      return single.run({ kind: "unpack", fd, growth: growth.shared, directory }).finally(() => closeSync(fd));
    };
    await assert.rejects(run(join(base, "bad"), writeTar([{ name: "open", data: "x" }, { name: "../x" }])));
    await run(join(base, "good"), writeTar([{ name: "f", data: "1" }]));
    await single.run({ kind: "remove", path: join(base, "bad") });
    assert.deepEqual(tree(base), ["blob", "good", "good/f"]);
  });
});
