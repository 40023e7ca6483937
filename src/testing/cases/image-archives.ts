/** Methods 32 to 35: images as archives, images of a tar, search; push and resolve. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { LoadProgress } from "../../runtime/types.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { writeTar } from "../tar-writer.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

async function idOf(t: ContractContext, reference: string): Promise<string> {
  return (await t.runtime.inspectImageNative(reference)).id ?? "";
}

async function isHere(t: ContractContext, id: string): Promise<boolean> {
  return (await t.runtime.listImages()).some((image) => image.id === id || image.reference === id);
}

/** An image of its own content, removed after the case. */
async function own(t: ContractContext): Promise<{ readonly reference: string; readonly id: string }> {
  const reference = await t.images.fresh();
  await t.images.republish(reference);
  await t.runtime.pullImage(reference);
  const id = await idOf(t, reference);
  forgetAfter(t, id);
  return { reference, id };
}

function forgetAfter(t: ContractContext, id: string): void {
  t.defer(async () => {
    if (await isHere(t, id)) await t.runtime.removeImage(id, true);
  });
}

async function save(t: ContractContext, names: readonly string[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(await t.runtime.saveImages(names)));
}

async function load(t: ContractContext, tar: Uint8Array, quiet = false): Promise<readonly LoadProgress[]> {
  return await Array.fromAsync(await t.runtime.loadImages(tar, quiet));
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function doneOf(events: readonly LoadProgress[]): readonly string[] {
  const done = events.filter((event) => event.kind === "done");
  const last = events.at(-1);
  assert.ok(done.length === 1 && last?.kind === "done", JSON.stringify(events));
  return last.references;
}

const rootFs = writeTar([
  { name: "bin/" },
  { name: "bin/hello", data: "#!/bin/sh\n", mode: 0o755 },
  { name: "etc/" },
  { name: "etc/name", data: "imported\n" },
]);

export const imageArchiveCases: readonly ContractCase[] = [
  {
    name: "what was saved and removed is the same after the load, under its names, and runs",
    needs: ["saveImages", "loadImages", "removeImage", "tagImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const { reference, id } = await own(t);
      await t.runtime.tagImage(reference, "local.example/saved:two");
      const before = await t.runtime.inspectImageNative(id);
      const tar = await save(t, ["local.example/saved:two", reference]);
      await t.runtime.removeImage(id, true);
      const references = doneOf(await load(t, tar));
      assert.deepEqual([...references].sort(), ["local.example/saved:two", reference].sort());
      const after = await t.runtime.inspectImageNative(reference);
      assert.deepEqual({ ...after, repoTags: [], repoDigests: [] }, { ...before, repoTags: [], repoDigests: [] });
      assert.deepEqual([...after.repoTags].sort(), [...references].sort());
      assert.equal((await t.finish({ image: reference, argv: programs.exitWith(31) })).code, 31);
    },
  },
  {
    name: "saving is deterministic, whatever the order of the names",
    needs: ["saveImages"],
    run: async (t) => {
      const [one, two] = [await own(t), await own(t)];
      const first = await save(t, [one.reference, two.reference]);
      assert.ok(first.length > 1024 && first.length % 512 === 0);
      assert.ok(first.equals(await save(t, [two.reference, one.reference, two.reference])));
    },
  },
  {
    name: "an image saved by its id has no name after the load",
    needs: ["saveImages", "loadImages", "removeImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const { id } = await own(t);
      const tar = await save(t, [id]);
      await t.runtime.removeImage(id, true);
      assert.deepEqual(doneOf(await load(t, tar)), [id]);
      assert.deepEqual((await t.runtime.inspectImageNative(id)).repoTags, []);
    },
  },
  {
    name: "saving wants at least one name, and all of them known, before anything is written",
    needs: ["saveImages"],
    run: async (t) => {
      await rejectsWith("invalid_spec", t.runtime.saveImages([]));
      await rejectsWith("not_found", t.runtime.saveImages([t.images.demo, t.images.missing]));
      await rejectsWith("invalid_spec", t.runtime.saveImages(["UPPER/Case"]));
    },
  },
  {
    name: "a save can be left at any time",
    needs: ["saveImages"],
    run: async (t) => {
      const stream = (await t.runtime.saveImages([t.images.demo]))[Symbol.asyncIterator]();
      await stream.next();
      await stream.return?.();
      await stream.return?.();
      assert.equal((await stream.next()).done, true);
      const { signal, reason, abort } = aborter();
      const aborted = (await t.runtime.saveImages([t.images.demo], { signal }))[Symbol.asyncIterator]();
      await aborted.next();
      abort();
      await rejectsBecause(reason, aborted.next());
    },
  },
  {
    name: "the same archive loaded twice, in pieces, gzipped and quietly gives the same",
    needs: ["saveImages", "loadImages", "tagImage", "inspectImageNative"],
    run: async (t) => {
      const { reference, id } = await own(t);
      const other = await own(t);
      const tar = await save(t, [reference]);
      await t.runtime.tagImage(other.reference, reference);
      assert.deepEqual(doneOf(await load(t, tar)), [reference]);
      assert.equal(await idOf(t, reference), id);
      assert.deepEqual(doneOf(await Array.fromAsync(await t.runtime.loadImages(pieces(tar, 777), false))), [reference]);
      const quiet = await load(t, gzipSync(tar), true);
      assert.equal(quiet.length, 1);
      assert.deepEqual(doneOf(quiet), [reference]);
      assert.equal(await idOf(t, reference), id);
    },
  },
  {
    name: "an archive that is broken is refused while it is read, and nothing of it shows",
    needs: ["saveImages", "loadImages", "removeImage", "listImages"],
    run: async (t) => {
      const { reference, id } = await own(t);
      const tar = await save(t, [reference]);
      await t.runtime.removeImage(id, true);
      const before = await t.runtime.listImages();
      const broken: Readonly<Record<string, Uint8Array>> = {
        nothing: new Uint8Array(),
        "no tar": Buffer.alloc(5000, "no tar"),
        truncated: tar.subarray(0, Math.floor(tar.length / 1024) * 512),
        "a tar of something else": writeTar([{ name: "hello", data: "world" }]),
        "no JSON": writeTar([{ name: "manifest.json", data: "{" }]),
        "a config that is not there": writeTar([{ name: "manifest.json", data: '[{"Config":"x.json","RepoTags":null,"Layers":[]}]' }]),
        "a name that leads out": writeTar([{ name: "../manifest.json", data: "[]" }]),
        "the manifest twice": writeTar([
          { name: "manifest.json", data: "[]" },
          { name: "manifest.json", data: "[]" },
        ]),
      };
      for (const [what, bytes] of Object.entries(broken)) {
        const error = await rejectsWith("invalid_spec", load(t, bytes));
        assert.ok(error.message.length > 0, what);
      }
      assert.deepEqual(await t.runtime.listImages(), before);
    },
  },
  {
    name: "import makes an image of a tar, with changes, comment and name",
    needs: ["importImage", "inspectImageNative", "imageHistory", "listImages"],
    run: async (t) => {
      const changes = 'CMD ["/bin/hello"]\nENV A=1 B="two words"\nLABEL from=import\nEXPOSE 80\nWORKDIR /etc\nUSER 5:6';
      const id = await t.runtime.importImage(rootFs, "local.example/imported", undefined, { changes, message: "from a test" });
      forgetAfter(t, id);
      assert.match(id, /^sha256:[0-9a-f]{64}$/);
      const image = await t.runtime.inspectImageNative("local.example/imported:latest");
      assert.equal(image.id, id);
      assert.deepEqual([image.cmd, image.env, image.workingDir, image.user], [["/bin/hello"], ["A=1", "B=two words"], "/etc", "5:6"]);
      assert.deepEqual([image.labels, image.exposedPorts, image.os], [{ from: "import" }, ["80/tcp"], "linux"]);
      assert.equal(image.layers.length, 1);
      const [row, ...more] = await t.runtime.imageHistory(id);
      assert.deepEqual([row?.comment, row?.id, more.length], ["from a test", id, 0]);
      assert.equal(row?.size, "#!/bin/sh\nimported\n".length);
    },
  },
  {
    name: "import without a name leaves the image untagged, and a compressed tar gives the same layer",
    needs: ["importImage", "inspectImageNative", "imageHistory", "listImages"],
    run: async (t) => {
      const id = await t.runtime.importImage(pieces(gzipSync(rootFs), 100));
      forgetAfter(t, id);
      // A message of its own: the same content imported in the same millisecond is the same image.
      const named = await t.runtime.importImage(rootFs, "local.example/imported", "two", { message: "the second" });
      forgetAfter(t, named);
      const [one, two] = [await t.runtime.inspectImageNative(id), await t.runtime.inspectImageNative("local.example/imported:two")];
      assert.deepEqual([one.repoTags, two.repoTags], [[], ["local.example/imported:two"]]);
      assert.deepEqual(one.layers, two.layers);
      assert.equal((await t.runtime.imageHistory(id))[0]?.comment, "Imported from -");
    },
  },
  {
    name: "import refuses what is no tar, bad changes and bad names, and leaves nothing",
    needs: ["importImage", "listImages"],
    run: async (t) => {
      const before = await t.runtime.listImages();
      for (const bad of [new Uint8Array(), Buffer.alloc(4000, "no tar"), rootFs.subarray(0, 700), gzipSync(rootFs).subarray(0, 60)]) {
        await rejectsWith("invalid_spec", t.runtime.importImage(bad, "local.example/bad"));
      }
      for (const changes of ["RUN make", "COPY a b", "ENV", "EXPOSE x"])
        await rejectsWith("invalid_spec", t.runtime.importImage(rootFs, undefined, undefined, { changes }));
      await rejectsWith("invalid_spec", t.runtime.importImage(rootFs, "UPPER"));
      await rejectsWith("invalid_spec", t.runtime.importImage(rootFs, undefined, "tag"));
      assert.deepEqual(await t.runtime.listImages(), before);
    },
  },
  {
    name: "search wants a term",
    needs: ["searchImages"],
    run: async (t) => {
      await rejectsWith("invalid_spec", t.runtime.searchImages("", 5));
      await rejectsWith("invalid_spec", t.runtime.searchImages("  ", 5));
      await rejectsWith("invalid_spec", t.runtime.searchImages("x", -1));
    },
  },
  {
    name: "an image that is pushed can be pulled by its new name, and resolve knows it",
    needs: ["push", "tagImage", "removeImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const { pushImage, resolveImage } = t.runtime.extras ?? {};
      assert.ok(pushImage !== undefined && resolveImage !== undefined);
      const { reference, id } = await own(t);
      const target = reference.replace(/[^/]*$/, `pushed-${id.slice(7, 19)}:v1`);
      await rejectsWith(
        "not_found",
        Promise.resolve().then(() => pushImage(target)),
      );
      await t.runtime.tagImage(reference, target);
      const events = await Array.fromAsync(await pushImage(target));
      const done = events.at(-1);
      assert.ok(done?.kind === "done" && done.reference === target, JSON.stringify(done));
      assert.equal(events.filter((event) => event.kind === "done").length, 1);
      const resolved = await resolveImage(target);
      assert.equal(resolved.descriptor.digest, done.digest);
      assert.equal(resolved.platforms[0]?.os, "linux");
      await t.runtime.removeImage(id, true);
      await t.runtime.pullImage(target);
      assert.equal(await idOf(t, target), id);
      await rejectsWith(
        "invalid_spec",
        Promise.resolve().then(() => pushImage(`${target.replace(/:v1$/, "")}@${done.digest}`)),
      );
    },
  },
];
