/** Method 48: a tar into a directory of a container. */
import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { type TarFixture, writeTar } from "../tar-writer.ts";
import { entriesOf, namesOf } from "./archive-get.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

async function textOf(t: ContractContext, id: ContainerId, path: string): Promise<string | undefined> {
  return (await entriesOf(t, id, path))[0]?.data.toString();
}

const hello = writeTar([{ name: "hello.txt", data: "hello\n" }]);

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What makes no whole archive, and what cannot be read as one. */
const brokenArchives: readonly (readonly [string, Uint8Array])[] = [
  ["text", Buffer.from("this is no archive ".repeat(100))],
  ["an archive cut in a file", hello.subarray(0, 514)],
  ["an archive cut in a header", hello.subarray(0, 300)],
  ["half a gzip stream", gzipSync(hello).subarray(0, 40)],
];

const escapes: readonly TarFixture[] = [
  { name: "../escaped.txt", data: "x" },
  { name: "sub/../../escaped.txt", data: "x" },
  { name: "link", type: "hardlink", linkName: "../../etc/passwd" },
  { name: "/../escaped.txt", data: "x" },
];

export const archivePutCases: readonly ContractCase[] = [
  {
    name: "a tar is written below a directory, parents made as needed, and programs see it",
    needs: ["archivePut", "archiveGet"],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.archivePut(
        id,
        "/tmp",
        writeTar([
          { name: "a/", mode: 0o755 },
          { name: "a/one.txt", data: "one\n" },
          { name: "b/c/two.txt", data: "two\n" },
        ]),
      );
      assert.equal((await t.runtime.exec(id, programs.cat("/tmp/a/one.txt"))).stdout, "one\n");
      assert.equal((await t.runtime.exec(id, programs.cat("/tmp/b/c/two.txt"))).stdout, "two\n");
      assert.deepEqual(await namesOf(t, id, "/tmp/a"), ["a/", "a/one.txt"]);
    },
  },
  {
    name: "files put into a container that does not run are there when it starts",
    needs: ["archivePut", "archiveGet"],
    run: async (t) => {
      const id = await t.create({ argv: programs.cat("/tmp/hello.txt") });
      await t.runtime.archivePut(id, "/tmp/", hello);
      assert.equal(await textOf(t, id, "/tmp/hello.txt"), "hello\n");
      await t.runtime.startContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 0);
      assert.equal(await t.text(id), "hello\n");
      await t.runtime.archivePut(id, "/", writeTar([{ name: "tmp/hello.txt", data: "changed\n" }]));
      assert.equal(await textOf(t, id, "/tmp/hello.txt"), "changed\n");
    },
  },
  {
    name: "archives may come in pieces of any size, plain, as gzip or as zstd",
    needs: ["archivePut", "archiveGet"],
    run: async (t) => {
      const id = await t.create();
      const tar = writeTar([{ name: "f.txt", data: "0123456789".repeat(20_000) }]);
      for (const bytes of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
        for (const size of [1000, 65_536]) {
          await t.runtime.archivePut(id, "/tmp", pieces(bytes, size));
          assert.equal((await textOf(t, id, "/tmp/f.txt"))?.length, 200_000);
          await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "f.txt", data: "" }]));
        }
      }
    },
  },
  {
    name: "an archive goes only into a directory that is there",
    needs: ["archivePut"],
    run: async (t) => {
      const id = await t.create();
      await t.runtime.archivePut(id, "/tmp", hello);
      await rejectsWith("not_found", t.runtime.archivePut(id, "/nowhere", hello));
      const error = await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp/hello.txt", hello));
      assert.match(error.message, /not a directory/);
      await rejectsWith("not_found", t.runtime.archivePut(id, "/tmp/hello.txt/below", hello));
      await rejectsWith("invalid_spec", t.runtime.archivePut(id, "", hello));
      await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp\0", hello));
    },
  },
  {
    name: "what is no archive, or half of one, is refused, and no half file stays",
    needs: ["archivePut", "archiveHead"],
    run: async (t) => {
      const id = await t.create();
      for (const [what, bytes] of brokenArchives) {
        const error = await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp", bytes));
        assert.match(error.message, /archive|tar/, what);
        await rejectsWith("not_found", t.runtime.archiveHead(id, "/tmp/hello.txt"));
      }
    },
  },
  {
    name: "no entry leaves the directory it is put into",
    needs: ["archivePut", "archiveHead"],
    run: async (t) => {
      const id = await t.create();
      for (const entry of escapes) {
        await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp", writeTar([entry])));
        await rejectsWith("not_found", t.runtime.archiveHead(id, "/escaped.txt"));
      }
      await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "/absolute.txt", data: "x" }]));
      await rejectsWith("not_found", t.runtime.archiveHead(id, "/absolute.txt"));
      assert.equal((await t.runtime.archiveHead(id, "/tmp/absolute.txt")).size, 1);
    },
  },
  {
    name: "a read-only root and a read-only volume take nothing, a volume on a read-only root does",
    needs: ["archivePut", "archiveHead"],
    run: async (t) => {
      const [name, other] = [t.newId().service, t.newId().service];
      const storage = [
        { type: "named" as const, name, target: "/rw" },
        { type: "named" as const, name: other, target: "/ro", readonly: true },
      ];
      const check = async (spec: Parameters<ContractContext["create"]>[0], running: boolean): Promise<void> => {
        const id = running ? await t.service(spec) : await t.create(spec);
        const error = await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp", hello));
        assert.match(error.message, /read-only/);
        await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/ro", hello));
        await t.runtime.archivePut(id, "/rw", hello);
        assert.equal((await t.runtime.archiveHead(id, "/rw/hello.txt")).size, 6);
      };
      await check({ readOnlyRootFs: true, storage }, false);
      await check({ readOnlyRootFs: true, storage }, true);
    },
  },
  {
    name: "a directory is replaced by a file and a file by a directory, unless that is refused",
    needs: ["archivePut", "archiveGet", "archiveHead"],
    run: async (t) => {
      const id = await t.create();
      const directory = writeTar([{ name: "x/" }, { name: "x/inner.txt", data: "inner" }]);
      const file = writeTar([{ name: "x", data: "file" }]);
      await t.runtime.archivePut(id, "/tmp", directory);
      await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp", file, { noOverwriteDirNonDir: true }));
      assert.equal(await textOf(t, id, "/tmp/x/inner.txt"), "inner");
      await t.runtime.archivePut(id, "/tmp", file);
      assert.equal(await textOf(t, id, "/tmp/x"), "file");
      await rejectsWith("invalid_spec", t.runtime.archivePut(id, "/tmp", directory, { noOverwriteDirNonDir: true }));
      assert.equal(await textOf(t, id, "/tmp/x"), "file");
      await t.runtime.archivePut(id, "/tmp", directory);
      assert.equal(await textOf(t, id, "/tmp/x/inner.txt"), "inner");
      await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "x/" }, { name: "x/second.txt", data: "2" }]), { noOverwriteDirNonDir: true });
      assert.deepEqual(await namesOf(t, id, "/tmp/x"), ["x/", "x/inner.txt", "x/second.txt"]);
    },
  },
  {
    name: "an abort in the middle of an archive leaves what came before, and no half file",
    needs: ["archivePut", "archiveHead"],
    run: async (t) => {
      const id = await t.create();
      const { signal, reason, abort } = aborter();
      const tar = writeTar([
        { name: "whole.txt", data: "whole" },
        { name: "half.txt", data: "x".repeat(100_000) },
      ]);
      async function* stalled(): AsyncGenerator<Uint8Array> {
        yield tar.subarray(0, 50_000);
        abort();
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield tar.subarray(50_000);
      }
      await rejectsBecause(reason, t.runtime.archivePut(id, "/tmp", stalled(), {}, { signal }));
      await rejectsBecause(reason, t.runtime.archivePut(id, "/tmp", hello, {}, { signal }));
      // The container is free again, so what the abort left is final.
      await t.runtime.archivePut(id, "/tmp", hello);
      await rejectsWith("not_found", t.runtime.archiveHead(id, "/tmp/half.txt"));
    },
  },
  {
    name: "an archive that breaks off with an error rejects with it",
    needs: ["archivePut", "archiveHead"],
    run: async (t) => {
      const id = await t.create();
      const failure = new Error("the source failed");
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield writeTar([{ name: "f.txt", data: "x".repeat(5000) }]).subarray(0, 3000);
        throw failure;
      }
      await rejectsBecause(failure, t.runtime.archivePut(id, "/tmp", failing()));
      await rejectsWith("not_found", t.runtime.archiveHead(id, "/tmp/f.txt"));
    },
  },
];
