/** Methods 47, 49 and 36: files of a container as a tar, or one at a glance. */
import assert from "node:assert/strict";
import type { ContainerId } from "../../spec/container-id.ts";
import type { CaseSpec, ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { collect, listTar, type ListedEntry } from "../tar-listing.ts";
import { writeTar } from "../tar-writer.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

export async function entriesOf(t: ContractContext, id: ContainerId, path: string): Promise<readonly ListedEntry[]> {
  return listTar(await collect(await t.runtime.archiveGet(id, path)));
}

export async function namesOf(t: ContractContext, id: ContainerId, path: string): Promise<readonly string[]> {
  return (await entriesOf(t, id, path)).map(({ name }) => name);
}

/** A container that made some files and ended. */
async function withFiles(t: ContractContext, spec: CaseSpec = {}): Promise<ContainerId> {
  const made = [step.append("/made.txt", "made\n"), step.append("/tmp/other.txt", "other\n")];
  return (await t.finish({ argv: program(...made), ...spec })).id;
}

const fileType = 0o100000;
const directoryType = 0o040000;
const typeBits = 0o170000;

const badPaths: readonly (readonly [string, "not_found" | "invalid_spec"])[] = [
  ["/nowhere", "not_found"],
  ["/nowhere/file", "not_found"],
  ["/made.txt/", "not_found"],
  ["/made.txt/below", "not_found"],
  ["", "invalid_spec"],
  ["/made.txt\0", "invalid_spec"],
];

export const archiveGetCases: readonly ContractCase[] = [
  {
    name: "a file comes out of a container as a tar with one entry of its name",
    needs: ["archiveGet"],
    run: async (t) => {
      const [entry, ...others] = await entriesOf(t, await withFiles(t), "/made.txt");
      assert.deepEqual([entry?.name, entry?.type, entry?.data.toString()], ["made.txt", "file", "made\n"]);
      assert.equal(others.length, 0);
    },
  },
  {
    name: "entries of a directory begin with its base name, with ./ after a trailing dot, and with / for the root",
    needs: ["archiveGet"],
    run: async (t) => {
      const id = await withFiles(t);
      assert.deepEqual(await namesOf(t, id, "/tmp"), ["tmp/", "tmp/other.txt"]);
      assert.deepEqual(await namesOf(t, id, "tmp/"), ["tmp/", "tmp/other.txt"]);
      assert.deepEqual(await namesOf(t, id, "/tmp/."), ["./", "./other.txt"]);
      assert.deepEqual(await namesOf(t, id, "/../tmp/../tmp"), ["tmp/", "tmp/other.txt"]);
      const root = await namesOf(t, id, "/");
      assert.ok(root.includes("/") && root.includes("/made.txt") && root.includes("/tmp/other.txt"), root.join(" "));
    },
  },
  {
    name: "a look at a path tells name, size, type, mode and time",
    needs: ["archiveHead"],
    run: async (t) => {
      const before = Date.now() - 120_000;
      const id = await withFiles(t);
      const file = await t.runtime.archiveHead(id, "/made.txt");
      assert.deepEqual([file.name, file.size, file.mode & typeBits, file.linkTarget], ["made.txt", 5, fileType, ""]);
      const time = Date.parse(file.mtime ?? "");
      assert.ok(time > before && time < Date.now() + 120_000, file.mtime);
      assert.match(file.mtime ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/);
      const directory = await t.runtime.archiveHead(id, "/tmp/");
      assert.deepEqual([directory.name, directory.mode & typeBits], ["tmp", directoryType]);
      assert.equal((await t.runtime.archiveHead(id, "/")).name, "/");
      assert.equal((await t.runtime.archiveHead(id, "/tmp/.")).name, ".");
    },
  },
  {
    name: "a path that is not there, or no path at all, is refused before anything is sent",
    needs: ["archiveGet", "archiveHead"],
    run: async (t) => {
      const id = await withFiles(t);
      for (const [path, code] of badPaths) {
        await rejectsWith(code, t.runtime.archiveGet(id, path));
        await rejectsWith(code, t.runtime.archiveHead(id, path));
      }
      assert.match((await rejectsWith("not_found", t.runtime.archiveHead(id, "/nowhere"))).message, /\/nowhere/);
    },
  },
  {
    name: "files can be read in every state: created, running, ended",
    needs: ["archiveGet", "archiveHead", "archivePut"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.line("ready"), step.append("/late.txt", "late\n"), step.forever()) });
      assert.equal((await t.runtime.archiveHead(id, "/tmp")).name, "tmp");
      await t.runtime.startContainer(id);
      await t.logged(id, "ready");
      for (let tries = 0; tries < 500 && (await readLate(t, id)) !== "late\n"; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(await readLate(t, id), "late\n");
      await t.runtime.stopContainer(id);
      assert.equal(await readLate(t, id), "late\n");
    },
  },
  {
    name: "volumes are seen through their targets, running and not; a tmpfs only while it runs",
    needs: ["archiveGet", "archiveHead"],
    run: async (t) => {
      const name = t.newId().service;
      const storage = [
        { type: "named" as const, name, target: "/vol" },
        { type: "tmpfs" as const, target: "/mem" },
      ];
      const steps = [step.append("/vol/kept.txt", "kept\n"), step.append("/mem/gone.txt", "gone\n"), step.line("ready"), step.forever()];
      const id = await t.start({ storage, argv: program(step.trapExit("TERM", 0), ...steps) });
      await t.logged(id, "ready");
      assert.deepEqual(await namesOf(t, id, "/vol"), ["vol/", "vol/kept.txt"]);
      assert.deepEqual(await namesOf(t, id, "/mem"), ["mem/", "mem/gone.txt"]);
      await t.runtime.stopContainer(id);
      assert.deepEqual(await namesOf(t, id, "/vol"), ["vol/", "vol/kept.txt"]);
      await rejectsWith("not_found", t.runtime.archiveHead(id, "/mem/gone.txt"));
      const other = await t.create({ storage: [{ type: "named", name, target: "/elsewhere/deep", readonly: true }] });
      assert.deepEqual(await namesOf(t, other, "/elsewhere/deep/kept.txt"), ["kept.txt"]);
    },
  },
  {
    name: "a mebibyte of any bytes comes out as it is, in pieces",
    needs: ["archiveGet", "archivePut"],
    run: async (t) => {
      const id = await t.create();
      const bytes = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
      await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "bytes", data: bytes }]));
      const [entry] = await entriesOf(t, id, "/tmp/bytes");
      assert.ok(entry?.data.equals(bytes));
    },
  },
  {
    name: "an abort ends a stream of files, and before it nothing begins",
    needs: ["archiveGet", "archiveHead"],
    run: async (t) => {
      const id = await withFiles(t);
      const { signal, reason, abort } = aborter();
      const stream = await t.runtime.archiveGet(id, "/tmp", { signal });
      abort();
      await rejectsBecause(reason, Array.fromAsync(stream));
      await rejectsBecause(reason, t.runtime.archiveGet(id, "/tmp", { signal }));
      await rejectsBecause(reason, t.runtime.archiveHead(id, "/tmp", { signal }));
    },
  },
  {
    name: "files of a container nobody knows are not found",
    needs: ["archiveGet", "archiveHead", "archivePut", "exportContainerFs"],
    run: async (t) => {
      const id = t.newId();
      await rejectsWith("not_found", t.runtime.archiveGet(id, "/"));
      await rejectsWith("not_found", t.runtime.archiveHead(id, "/"));
      await rejectsWith("not_found", t.runtime.archivePut(id, "/", new Uint8Array(1024)));
      await rejectsWith("not_found", t.runtime.exportContainerFs(id));
    },
  },
  {
    name: "an export has the whole root without a leading slash, and of volumes only where they are mounted",
    needs: ["exportContainerFs"],
    run: async (t) => {
      const storage = [{ type: "named" as const, name: t.newId().service, target: "/vol" }];
      const { id } = await t.finish({ storage, argv: program(step.append("/made.txt", "made\n"), step.append("/vol/kept.txt", "kept\n")) });
      const entries = listTar(await collect(await t.runtime.exportContainerFs(id)));
      const names = entries.map(({ name }) => name);
      assert.equal(entries.find(({ name }) => name === "made.txt")?.data.toString(), "made\n");
      assert.ok(names.includes("vol/") && names.includes("tmp/"), names.join(" "));
      assert.ok(!names.some((name) => name.startsWith("/") || name.startsWith("vol/kept")), names.join(" "));
    },
  },
  {
    name: "an export of a running container is a whole archive",
    needs: ["exportContainerFs"],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.exec(id, programs.append("/running.txt", "x"));
      const names = listTar(await collect(await t.runtime.exportContainerFs(id))).map(({ name }) => name);
      assert.ok(names.includes("running.txt"), names.join(" "));
      assert.ok(!names.some((name) => /^(proc|sys|dev)\/./.test(name)), "nothing of the kernel's file systems");
    },
  },
];

async function readLate(t: ContractContext, id: ContainerId): Promise<string> {
  try {
    return (await entriesOf(t, id, "/late.txt"))[0]?.data.toString() ?? "";
  } catch {
    return "";
  }
}
