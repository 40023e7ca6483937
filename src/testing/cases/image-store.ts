/** Methods 26, 27, 29 and 31: names, removal, prune and history of images that are here. */
import assert from "node:assert/strict";
import { BerthError } from "../../errors.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { rejectsWith } from "./expect.ts";

async function idOf(t: ContractContext, reference: string): Promise<string> {
  return (await t.runtime.inspectImageNative(reference)).id ?? "";
}

async function isHere(t: ContractContext, name: string): Promise<boolean> {
  return (await t.runtime.listImages()).some((image) => image.reference === name || image.id === name);
}

/** An image of its own content, removed after the case. */
async function own(t: ContractContext): Promise<string> {
  const reference = await t.images.fresh();
  await t.images.republish(reference);
  await t.runtime.pullImage(reference);
  const id = await idOf(t, reference);
  t.defer(async () => {
    if (await isHere(t, id)) await t.runtime.removeImage(id, true);
  });
  return reference;
}

export const imageStoreCases: readonly ContractCase[] = [
  {
    name: "removing the last name removes the image, and it can be pulled again",
    needs: ["removeImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const reference = await own(t);
      const id = await idOf(t, reference);
      await t.runtime.removeImage(reference, false);
      assert.equal(await isHere(t, id), false);
      await rejectsWith("not_found", t.runtime.inspectImageNative(id));
      await rejectsWith("not_found", t.runtime.removeImage(reference, true));
      await t.runtime.pullImage(reference);
      assert.equal(await idOf(t, reference), id);
      assert.equal((await t.finish({ image: reference, argv: programs.exitWith(21) })).code, 21);
    },
  },
  {
    name: "removal by id wants force when the image has several names, and then takes them all",
    needs: ["removeImage", "tagImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const reference = await own(t);
      const id = await idOf(t, reference);
      await t.runtime.tagImage(reference, "local.example/several:names");
      for (const name of [id, id.slice("sha256:".length), id.slice("sha256:".length, "sha256:".length + 12)]) {
        await rejectsWith("conflict", t.runtime.removeImage(name, false));
      }
      const { repoTags } = await t.runtime.inspectImageNative(id);
      assert.deepEqual([...repoTags].sort(), [reference, "local.example/several:names"].sort());
      await t.runtime.removeImage(id, true);
      assert.equal(await isHere(t, id), false);
      await rejectsWith("not_found", t.runtime.inspectImageNative("local.example/several:names"));
    },
  },
  {
    name: "removal by id or digest takes an image of one name",
    needs: ["removeImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const first = await own(t);
      const id = await idOf(t, first);
      await t.runtime.removeImage(id, false);
      assert.equal(await isHere(t, id), false);
      const second = await own(t);
      const { repoDigests, id: secondId = "" } = await t.runtime.inspectImageNative(second);
      const digest = repoDigests[0];
      assert.ok(digest !== undefined);
      await t.runtime.removeImage(digest, false);
      assert.equal(await isHere(t, secondId), false);
    },
  },
  {
    name: "a used image that is removed by force loses its name at once and goes with its last container",
    needs: ["removeImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const reference = await own(t);
      const id = await idOf(t, reference);
      const [one, two] = [await t.create({ image: reference, argv: programs.exitWith(0) }), await t.create({ image: reference, argv: programs.exitWith(22) })];
      const error = await rejectsWith("conflict", t.runtime.removeImage(id, false));
      assert.ok(error.message.length > 0);
      assert.deepEqual((await t.runtime.inspectImageNative(id)).repoTags, [reference]);
      await t.runtime.removeImage(id, true);
      await rejectsWith("not_found", t.runtime.inspectImageNative(reference));
      await t.runtime.removeContainer(one);
      assert.equal(await isHere(t, id), true);
      await t.runtime.startContainer(two);
      assert.equal(await t.runtime.waitContainer(two), 22);
      await t.runtime.removeContainer(two);
      assert.equal(await isHere(t, id), false);
    },
  },
  {
    name: "an image that got a name again stays when its container goes",
    needs: ["removeImage", "tagImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const reference = await own(t);
      const id = await idOf(t, reference);
      const container = await t.create({ image: reference, argv: programs.exitWith(0) });
      await t.runtime.removeImage(reference, true);
      await t.runtime.tagImage(id, "local.example/saved:again");
      await t.runtime.removeContainer(container);
      assert.equal(await idOf(t, "local.example/saved:again"), id);
    },
  },
  {
    name: "a layer that another image has stays when one of the two is removed",
    needs: ["removeImage", "inspectImageNative"],
    run: async (t) => {
      const [first, second] = [await own(t), await own(t)];
      const shared = (await t.runtime.inspectImageNative(first)).layers[0];
      assert.equal((await t.runtime.inspectImageNative(second)).layers[0], shared);
      await t.runtime.removeImage(first, false);
      assert.equal((await t.finish({ image: second, argv: programs.exitWith(23) })).code, 23);
      assert.equal((await t.finish({ argv: programs.exitWith(24) })).code, 24);
    },
  },
  {
    name: "a tag that moves leaves the old image without a name, listed by its id",
    needs: ["tagImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const [first, second] = [await own(t), await own(t)];
      const [old, id] = [await idOf(t, first), await idOf(t, second)];
      await t.runtime.tagImage(second, first);
      assert.equal(await idOf(t, first), id);
      assert.ok((await t.runtime.listImages()).some((image) => image.reference === old));
      assert.deepEqual((await t.runtime.inspectImageNative(old)).repoTags, []);
      await t.runtime.tagImage(second, second);
      assert.equal(await idOf(t, second), id);
    },
  },
  {
    name: "prune removes what has no name and no container, and says what it freed",
    needs: ["pruneImages", "tagImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const [first, second, used] = [await own(t), await own(t), await own(t)];
      const [old, usedId] = [await idOf(t, first), await idOf(t, used)];
      await t.create({ image: used, argv: programs.exitWith(0) });
      await t.runtime.tagImage(second, first);
      await t.runtime.tagImage(second, used);
      const { deleted, spaceReclaimed } = await t.runtime.pruneImages();
      assert.ok(deleted.includes(old), JSON.stringify(deleted));
      assert.ok(!deleted.includes(usedId) && !deleted.includes(second));
      assert.ok(spaceReclaimed > 0);
      assert.equal(await isHere(t, old), false);
      assert.ok((await isHere(t, usedId)) && (await isHere(t, second)) && (await isHere(t, t.images.demo)));
      assert.ok(!(await t.runtime.pruneImages()).deleted.includes(old));
    },
  },
  {
    name: "prune of all takes named images too, as far as labels and age allow",
    needs: ["pruneImages", "inspectImageNative", "listImages"],
    run: async (t) => {
      const reference = await own(t);
      const keepers = [await t.create({ argv: programs.exitWith(0) }), await t.create({ image: t.images.configured, argv: programs.exitWith(0) })];
      assert.equal(keepers.length, 2);
      assert.deepEqual((await t.runtime.pruneImages({ all: true, labels: ["no-image=has-this"] })).deleted, []);
      assert.deepEqual((await t.runtime.pruneImages({ all: true, until: new Date("2000-01-01T00:00:00Z") })).deleted, []);
      assert.ok(await isHere(t, reference));
      const { deleted } = await t.runtime.pruneImages({ all: true, labels: ["!no-image=has-this"], until: new Date() });
      assert.ok(deleted.includes(reference), JSON.stringify(deleted));
      assert.equal(await isHere(t, reference), false);
      assert.ok((await isHere(t, t.images.demo)) && (await isHere(t, t.images.configured)));
    },
  },
  {
    name: "prune takes nothing that a pull or a create in progress needs",
    needs: ["pruneImages"],
    run: async (t) => {
      for (const image of [t.images.demo, t.images.configured]) await t.create({ image, argv: programs.exitWith(0) });
      for (let round = 0; round < 2; round++) {
        const reference = await t.images.fresh();
        await t.images.republish(reference);
        await Promise.all([t.runtime.pullImage(reference), ...Array.from({ length: 3 }, () => t.runtime.pruneImages())]);
        // A prune that came first is no fault; one that came in between would be.
        const creating = t.create({ image: reference, argv: programs.exitWith(25) }).catch((error: unknown) => {
          assert.ok(error instanceof BerthError && error.code === "not_found", String(error));
        });
        const pruning = Array.from({ length: 2 }, () => t.runtime.pruneImages({ all: true }));
        const [id] = await Promise.all([creating, ...pruning]);
        if (id === undefined) continue;
        await t.runtime.startContainer(id);
        assert.equal(await t.runtime.waitContainer(id), 25);
      }
    },
  },
  {
    name: "what happens to an image is told in Docker's words",
    needs: ["events", "tagImage", "removeImage", "inspectImageNative", "listImages"],
    run: async (t) => {
      const { events } = t.runtime.extras ?? {};
      assert.ok(events !== undefined);
      const since = new Date();
      const reference = await own(t);
      const id = await idOf(t, reference);
      await t.runtime.tagImage(reference, "local.example/told:of");
      await t.runtime.removeImage("local.example/told:of", false);
      await t.runtime.removeImage(reference, false);
      const told: string[] = [];
      for await (const { type, action, actor } of await events({ since })) {
        if (type !== "image" || (actor.id !== id && actor.id !== reference)) continue;
        told.push(action === "pull" ? `pull ${actor.id}` : action === "tag" ? `tag ${actor.attributes["name"]}` : action);
        if (action === "delete") break;
      }
      // Where an image is kept in several places each of them tells.
      assert.deepEqual([...new Set(told)], [`pull ${reference}`, "tag local.example/told:of", "untag", "delete"]);
    },
  },
  {
    name: "history is newest first, with id and tags on the newest row and sizes that add up",
    needs: ["imageHistory", "inspectImageNative"],
    run: async (t) => {
      const { id, repoTags, size } = await t.runtime.inspectImageNative(t.images.demo);
      const rows = await t.runtime.imageHistory(t.images.demo);
      assert.ok(rows.length >= 2);
      assert.equal(rows[0]?.id, id);
      assert.deepEqual([...(rows[0]?.tags ?? [])].sort(), [...repoTags].sort());
      assert.ok(rows.slice(1).every((row) => row.id === "<missing>" && row.tags.length === 0));
      assert.equal(
        rows.reduce((total, row) => total + row.size, 0),
        size,
      );
      assert.match(rows[0]?.createdBy ?? "", /second layer/);
      assert.equal(rows.at(-1)?.created, Date.parse("2026-01-01T00:00:00Z") / 1000);
      await rejectsWith("not_found", t.runtime.imageHistory(t.images.missing));
    },
  },
];
