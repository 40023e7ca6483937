import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { type TarEntry, TarReader } from "./tar-reader.ts";
import { endOfTar, tarHeader, type TarMember, tarPadding } from "./tar-writer.ts";

const plain = { type: "file", mode: 0o644, uid: 0, gid: 0, mtimeNs: 1_700_000_000_000_000_000n } as const;

function archive(...members: readonly (TarMember & { readonly data?: string })[]): Buffer {
  const parts = members.flatMap(({ data = "", ...member }) => {
    const bytes = Buffer.from(data);
    return [tarHeader(member.type === "file" ? { ...member, size: bytes.length } : member), bytes, Buffer.alloc(tarPadding(bytes.length))];
  });
  return Buffer.concat([...parts, endOfTar]);
}

function read(tar: Buffer): { readonly entries: TarEntry[]; readonly data: string } {
  const entries: TarEntry[] = [];
  let data = "";
  const reader = new TarReader({
    begin: (entry) => void entries.push(entry),
    data: (chunk) => {
      data += chunk.toString();
    },
    end: () => {},
  });
  reader.write(tar);
  reader.finish();
  return { entries, data };
}

const list = (tar: Buffer): string => {
  const done = spawnSync("tar", ["--numeric-owner", "--full-time", "-tvf", "-"], { input: tar, env: { ...process.env, TZ: "UTC", LC_ALL: "C" } });
  assert.equal(done.status, 0, done.stderr.toString());
  return done.stdout.toString();
};

describe("tar writer", () => {
  test("what our reader reads is what was written", () => {
    const member: TarMember = { ...plain, name: "etc/passwd", mode: 0o4755, uid: 1000, gid: 50 };
    const { entries, data } = read(archive({ ...member, data: "root\n" }));
    assert.equal(data, "root\n");
    const { xattrs, ...entry } = entries[0] ?? assert.fail("no entry");
    assert.equal(xattrs.size, 0);
    assert.deepEqual(entry, {
      ...{ type: "file", name: "etc/passwd", linkName: "", size: 5, mode: 0o4755, uid: 1000, gid: 50 },
      ...{ mtime: 1_700_000_000, devMajor: 0, devMinor: 0 },
    });
  });

  test("every kind of entry comes back", () => {
    const { entries } = read(
      archive(
        { ...plain, type: "directory", name: "d" },
        { ...plain, type: "symlink", name: "d/s", linkName: "/etc/x" },
        { ...plain, type: "hardlink", name: "d/h", linkName: "d/f" },
        { ...plain, type: "character", name: "d/c", devMajor: 1, devMinor: 3 },
        { ...plain, type: "block", name: "d/b", devMajor: 259, devMinor: 70000 },
        { ...plain, type: "fifo", name: "d/p" },
      ),
    );
    assert.deepEqual(
      entries.map(({ type, name, linkName, devMajor, devMinor }) => [type, name, linkName, devMajor, devMinor]),
      [
        ["directory", "d/", "", 0, 0],
        ["symlink", "d/s", "/etc/x", 0, 0],
        ["hardlink", "d/h", "d/f", 0, 0],
        ["character", "d/c", "", 1, 3],
        ["block", "d/b", "", 259, 70000],
        ["fifo", "d/p", "", 0, 0],
      ],
    );
  });

  test("names of any length and any bytes, also of link targets", () => {
    const names = [
      "n".repeat(100),
      "n".repeat(101),
      `${"p".repeat(155)}/${"n".repeat(100)}`,
      `${"p".repeat(156)}/${"n".repeat(100)}`,
      `${"deep/".repeat(60)}leaf`,
      "\xff\xfe-not-utf8",
      Buffer.from("smörgås/日本").toString("latin1"),
      "x".repeat(1000),
    ];
    const { entries } = read(
      archive(...names.map((name) => ({ ...plain, name })), ...names.map((linkName) => ({ ...plain, type: "symlink" as const, name: "l", linkName }))),
    );
    assert.deepEqual(
      entries.map((entry) => entry.linkName || entry.name),
      [...names, ...names],
    );
  });

  test("a long directory name ends with a slash and is no file", () => {
    const name = `${"d".repeat(99)}/${"e".repeat(99)}/${"f".repeat(99)}`;
    const { entries } = read(archive({ ...plain, type: "directory", name }));
    assert.deepEqual([entries[0]?.type, entries[0]?.name], ["directory", `${name}/`]);
  });

  test("numbers beyond what ustar holds", () => {
    const { entries } = read(archive({ ...plain, name: "a", uid: 3_000_000, gid: 4_294_967_294 }));
    assert.deepEqual([entries[0]?.uid, entries[0]?.gid], [3_000_000, 4_294_967_294]);
    const size = 9 * 1024 ** 3;
    const sizes: number[] = [];
    new TarReader({ begin: (entry) => void sizes.push(entry.size), data: () => {}, end: () => {} }).write(tarHeader({ ...plain, name: "huge", size }));
    assert.deepEqual(sizes, [size]);
  });

  test("times to the nanosecond, before 1970 too", () => {
    const times = [1_700_000_000_123_456_789n, -1_500_000_000n, 0n, 1_500_000_000n];
    const records = times.map((mtimeNs) => /\d+ mtime=([-.\d]+)\n/.exec(tarHeader({ ...plain, name: "t", mtimeNs }).toString("latin1"))?.[1]);
    assert.deepEqual(records, ["1700000000.123456789", "-1.5", undefined, "1.5"]);
    assert.equal(read(archive({ ...plain, name: "t", mtimeNs: -1_500_000_000n })).entries[0]?.mtime, -1.5);
  });

  test("extended attributes, in the order of their names", () => {
    const xattrs = new Map([
      ["user.b", Buffer.from("two\n\0")],
      ["security.capability", Buffer.from([1, 0, 0, 2])],
    ]);
    const header = tarHeader({ ...plain, name: "x", xattrs });
    assert.ok(header.indexOf("SCHILY.xattr.security.capability=") < header.indexOf("SCHILY.xattr.user.b="));
    const found = read(archive({ ...plain, name: "x", xattrs })).entries[0]?.xattrs;
    assert.deepEqual(
      [...(found ?? [])].map(([key, value]) => [key, Buffer.from(value).toString("hex")]),
      [
        ["security.capability", "01000002"],
        ["user.b", "74776f0a00"],
      ],
    );
  });

  test("GNU tar lists it", () => {
    const name = `${"p".repeat(120)}/${"n".repeat(120)}`;
    const text = list(archive({ ...plain, name, uid: 3_000_000, gid: 7, data: "x" }, { ...plain, type: "hardlink", name: "h", linkName: name }));
    assert.match(text, /^-rw-r--r-- 3000000\/7 +1 2023-11-14 22:13:20 p+\/n+$/m);
    assert.match(text, /^hrw-r--r-- 0\/0 +0 2023-11-14 22:13:20 h link to p+\/n+$/m);
  });
});
