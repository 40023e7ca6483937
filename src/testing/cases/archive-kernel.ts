/** Methods 47 to 49 where there is a kernel: symlinks, owners, links, attributes, and a container that cheats. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContractCase } from "../contract.ts";
import { programs } from "../programs.ts";
import { collect, listTar } from "../tar-listing.ts";
import { type TarFixture, writeTar } from "../tar-writer.ts";
import { entriesOf, namesOf } from "./archive-get.ts";
import { rejectsWith } from "./expect.ts";

const symlinkType = 0o120000;
const typeBits = 0o170000;

/** One of everything a tar can hold. */
const menagerie: readonly TarFixture[] = [
  { name: "all/", mode: 0o1775, uid: 5, gid: 6, mtime: 1_000_000_000 },
  { name: "all/file", data: "data", mode: 0o4751, uid: 1234, gid: 4321, mtime: 1_234_567_890 },
  { name: "all/first", data: "twice", mode: 0o640, uid: 11, gid: 12 },
  // As programs write it, with all that the file has.
  { name: "all/hard", type: "hardlink", linkName: "all/first", mode: 0o640, uid: 11, gid: 12 },
  { name: "all/link", linkName: "../somewhere/else", uid: 7, gid: 8, mtime: 1_100_000_000 },
  { name: "all/null", type: "character", devMajor: 1, devMinor: 3, mode: 0o666 },
  { name: "all/pipe", type: "fifo", mode: 0o600, uid: 9, gid: 9 },
  { name: "all/tagged", data: "x", xattrs: { "security.capability": Buffer.from("0100000200040000000000000000000000000000", "hex") } },
  { name: `all/${"long-".repeat(40)}name`, data: "long" },
  { name: Buffer.from([...Buffer.from("all/"), 0xff, 0xfe]), data: "bytes" },
];

export const archiveKernelCases: readonly ContractCase[] = [
  {
    name: "a symlink at the end of a path is copied itself, one on the way or before a slash is followed inside the container",
    needs: ["kernel", "archiveGet", "archiveHead"],
    run: async (t) => {
      const script = "mkdir /d; echo in >/d/f; ln -s /d /abs; ln -s d /rel; ln -s ../../../../../../d/f /up; ln -s loop /loop; ln -s /nowhere /dangling";
      const { id } = await t.finish({ argv: programs.shell(script) });
      const [abs] = await entriesOf(t, id, "/abs");
      assert.deepEqual([abs?.name, abs?.type, abs?.linkName], ["abs", "symlink", "/d"]);
      assert.deepEqual(await namesOf(t, id, "/abs/"), ["abs/", "abs/f"]);
      assert.deepEqual(await namesOf(t, id, "/rel/."), ["./", "./f"]);
      assert.equal((await entriesOf(t, id, "/abs/../rel/f"))[0]?.data.toString(), "in\n");
      const head = await t.runtime.archiveHead(id, "/up");
      assert.deepEqual([head.mode & typeBits, head.linkTarget], [symlinkType, "/d/f"]);
      assert.equal((await t.runtime.archiveHead(id, "/rel")).linkTarget, "/d");
      assert.equal((await t.runtime.archiveHead(id, "/dangling")).linkTarget, "/nowhere");
      await rejectsWith("not_found", t.runtime.archiveHead(id, "/loop/x"));
      await rejectsWith("not_found", t.runtime.archiveGet(id, "/loop/"));
      await rejectsWith("not_found", t.runtime.archiveGet(id, "/dangling/"));
    },
  },
  {
    name: "a symlink that leads to itself is one of its directory's files, and can be looked at",
    needs: ["kernel", "archiveGet", "archiveHead"],
    run: async (t) => {
      const { id } = await t.finish({ argv: programs.shell("ln -s loop /home/loop") });
      assert.equal((await entriesOf(t, id, "/home")).find(({ name }) => name === "home/loop")?.linkName, "loop");
      assert.equal((await t.runtime.archiveHead(id, "/home/loop")).mode & typeBits, symlinkType);
    },
  },
  {
    name: "symlinks inside never lead to the host's files",
    needs: ["kernel", "archiveGet", "archivePut"],
    run: async (t) => {
      const host = t.hostDir();
      writeFileSync(join(host, "secret.txt"), "of the host");
      const { id } = await t.finish({ argv: programs.shell(`ln -s ${host} /trap; ln -s ../../../../../../../../${host} /trap2`) });
      for (const trap of ["/trap", "/trap2"]) {
        await rejectsWith("not_found", t.runtime.archiveGet(id, `${trap}/secret.txt`));
        await rejectsWith("not_found", t.runtime.archivePut(id, trap, writeTar([{ name: "planted.txt", data: "x" }])));
        await assert.rejects(t.runtime.archivePut(id, "/", writeTar([{ name: `${trap.slice(1)}/planted.txt`, data: "x" }])));
      }
      assert.deepEqual(readdirSync(host), ["secret.txt"]);
    },
  },
  {
    name: "what is put in comes out again: types, modes, owners, times, hard links, attributes, any name",
    needs: ["kernel", "archiveGet", "archivePut"],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.archivePut(id, "/tmp", writeTar(menagerie));
      const seen = await entriesOf(t, id, "/tmp/all");
      const of = (name: string) => seen.find((entry) => entry.name === name) ?? assert.fail(`${name} in ${seen.map((entry) => entry.name).join(" ")}`);
      assert.deepEqual([of("all/").mode, of("all/").uid, of("all/").gid, of("all/").mtime], [0o1775, 5, 6, 1_000_000_000]);
      const { mode, uid, gid, mtime, data } = of("all/file");
      assert.deepEqual([mode, uid, gid, mtime, data.toString()], [0o4751, 1234, 4321, 1_234_567_890, "data"]);
      assert.deepEqual([of("all/first").mode, of("all/first").uid, of("all/first").gid], [0o640, 11, 12]);
      assert.deepEqual([of("all/hard").type, of("all/hard").linkName], ["hardlink", "all/first"]);
      assert.deepEqual([of("all/link").linkName, of("all/link").uid, of("all/link").mtime], ["../somewhere/else", 7, 1_100_000_000]);
      assert.deepEqual([of("all/null").type, of("all/null").devMajor, of("all/null").devMinor], ["character", 1, 3]);
      assert.deepEqual([of("all/pipe").type, of("all/pipe").mode], ["fifo", 0o600]);
      assert.equal(of("all/tagged").xattrs.get("security.capability")?.length, 20);
      assert.equal(of(`all/${"long-".repeat(40)}name`).data.toString(), "long");
      assert.equal(of("all/\xff\xfe").data.toString(), "bytes");
      assert.equal((await t.runtime.exec(id, ["stat", "-c", "%u:%g %a %h", "/tmp/all/file"])).stdout, "1234:4321 4751 1\n");
      assert.equal((await t.runtime.exec(id, ["stat", "-c", "%u:%g %a %h", "/tmp/all/hard"])).stdout, "11:12 640 2\n");
    },
  },
  {
    name: "a hard link in an archive takes nothing from the file it names: neither owner nor setuid",
    needs: ["kernel", "archivePut"],
    run: async (t) => {
      const id = await t.service();
      const file = { name: "file", data: "data", mode: 0o4751, uid: 1234, gid: 4321 };
      await t.runtime.archivePut(id, "/tmp", writeTar([file, { name: "hard", type: "hardlink", linkName: "file" }]));
      assert.equal((await t.runtime.exec(id, ["stat", "-c", "%u:%g %a %h", "/tmp/hard"])).stdout, "1234:4321 4751 2\n");
    },
  },
  {
    name: "fractions of a second are kept in what is put in",
    needs: ["kernel", "archiveHead", "archivePut"],
    run: async (t) => {
      const id = await t.create();
      await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "f", data: "x", mtime: 1_234_567_890.5 }]));
      assert.equal(Date.parse((await t.runtime.archiveHead(id, "/tmp/f")).mtime ?? ""), 1_234_567_890_500);
    },
  },
  {
    name: "fractions of a second and attributes that users set come out of a container",
    needs: ["kernel", "archiveGet", "archivePut"],
    run: async (t) => {
      const id = await t.create();
      await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "f", data: "x", mtime: 1_234_567_890.5, xattrs: { "user.note": "kept" } }]));
      const [entry] = await entriesOf(t, id, "/tmp/f");
      assert.deepEqual([entry?.mtime, Buffer.from(entry?.xattrs.get("user.note") ?? "").toString()], [1_234_567_890.5, "kept"]);
    },
  },
  {
    name: "an export has types, owners and attributes, and reads as the container's root elsewhere",
    needs: ["kernel", "exportContainerFs", "archivePut"],
    run: async (t) => {
      const id = await t.create();
      await t.runtime.archivePut(id, "/", writeTar(menagerie));
      const seen = listTar(await collect(await t.runtime.exportContainerFs(id)));
      const file = seen.find(({ name }) => name === "all/file");
      assert.deepEqual([file?.mode, file?.uid, file?.gid], [0o4751, 1234, 4321]);
      assert.equal(seen.find(({ name }) => name === "all/hard")?.type, "hardlink");
      assert.equal(seen.find(({ name }) => name === "demo/layered.txt")?.data.toString(), "second\n");
      assert.equal(
        seen.some(({ name }) => name === "demo/removed.txt"),
        false,
      );
    },
  },
  {
    name: "files that are put in replace what is there and are not written through it",
    needs: ["kernel", "archivePut"],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.exec(id, ["sh", "-c", "mkdir /w; echo kept >/w/target; ln -s target /w/link; ln /w/target /w/hard; mkdir -p /w/dir/sub"]);
      const tar = writeTar([
        { name: "link", data: "new\n" },
        { name: "hard", data: "new\n" },
        { name: "dir", linkName: "target" },
      ]);
      await t.runtime.archivePut(id, "/w", tar);
      const { stdout } = await t.runtime.exec(id, ["sh", "-c", "cat /w/target /w/link /w/hard; readlink /w/dir"]);
      assert.equal(stdout, "kept\nnew\nnew\ntarget\n");
    },
  },
  {
    name: "an archive's entry reaches through a symlink only inside the container",
    needs: ["kernel", "archivePut"],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.archivePut(
        id,
        "/tmp",
        writeTar([
          { name: "jump", linkName: "/home" },
          { name: "jump/landed.txt", data: "inside\n" },
        ]),
      );
      assert.equal((await t.runtime.exec(id, programs.cat("/home/landed.txt"))).stdout, "inside\n");
      const loop = writeTar([
        { name: "a", linkName: "b" },
        { name: "b", linkName: "a" },
        { name: "a/x", data: "x" },
      ]);
      await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp", loop));
    },
  },
  {
    name: "owners come from the archive, or with copyUidGid are the container's user, if it has one",
    needs: ["kernel", "archivePut", "archiveGet"],
    run: async (t) => {
      const tar = writeTar([{ name: "f", data: "x", uid: 77, gid: 78 }]);
      const owner = async (spec: Parameters<typeof t.create>[0], copyUidGid: boolean): Promise<readonly (number | undefined)[]> => {
        const id = await t.create(spec);
        await t.runtime.archivePut(id, "/tmp", tar, { copyUidGid });
        const [entry] = await entriesOf(t, id, "/tmp/f");
        return [entry?.uid, entry?.gid];
      };
      assert.deepEqual(await owner({ image: t.images.configured }, false), [77, 78]);
      assert.deepEqual(await owner({ image: t.images.configured }, true), [1000, 1000]);
      assert.deepEqual(await owner({ user: "bob" }, true), [1001, 1002]);
      assert.deepEqual(await owner({}, true), [77, 78]);
    },
  },
  {
    name: "changes tell added, modified and deleted, whole trees once, and nothing of what is equal",
    needs: ["kernel", "changesContainer"],
    run: async (t) => {
      const script = [
        "echo x >>/demo/layered.txt; rm /demo/stamp.txt; rm -r /demo/seed; chmod 644 /etc/passwd; chmod 700 /home/alice",
        "mkdir -p /new/tree; echo f >/new/tree/f; rm -r /data; mkdir /data; echo n >/data/n; rm -r /var; echo file >/var; cp /etc/group /tmp/g",
        "touch -r /demo/show-args /tmp/time; chmod 777 /demo/show-args; chmod 755 /demo/show-args; echo gone >/gone; rm /gone",
      ].join("; ");
      const { id } = await t.finish({ argv: programs.shell(script) });
      const seen = (await t.runtime.changesContainer(id)).map(({ path, kind }) => `${kind} ${path}`);
      const expected = [
        ...["modified /data", "deleted /data/image.txt", "added /data/n", "modified /demo", "modified /demo/layered.txt", "deleted /demo/seed"],
        ...["deleted /demo/stamp.txt", "modified /home", "modified /home/alice", "added /new", "added /new/tree", "added /new/tree/f"],
        ...["modified /tmp", "added /tmp/g", "added /tmp/time", "modified /var"],
      ];
      assert.deepEqual(seen, expected);
    },
  },
  {
    name: "a container that swaps a directory for a symlink while files are copied shows and takes nothing of the host",
    needs: ["kernel", "archiveGet", "archivePut"],
    run: async (t) => {
      const host = t.hostDir();
      mkdirSync(join(host, "dir"));
      writeFileSync(join(host, "dir/secret.txt"), "of the host");
      const swap = `mkdir -p /race/dir; echo own >/race/dir/own.txt; echo ready; while :; do mv /race/dir /race/kept; ln -s ${host}/dir /race/dir; rm /race/dir; mv /race/kept /race/dir; done`;
      const id = await t.start({ argv: programs.shell(swap), storage: [{ type: "tmpfs", target: "/race" }] });
      await t.logged(id, "ready");
      const tar = writeTar(Array.from({ length: 200 }, (_, index) => ({ name: `dir/planted-${index}`, data: "x" })));
      for (let round = 0; round < 10; round++) {
        await t.runtime.archivePut(id, "/race", tar).catch(() => {});
        const seen = await t.runtime.archiveGet(id, "/race/dir/").then(collect, () => Buffer.alloc(0));
        assert.equal(seen.includes("of the host"), false);
      }
      assert.deepEqual(readdirSync(join(host, "dir")), ["secret.txt"]);
    },
  },
];
