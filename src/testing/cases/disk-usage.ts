/** `extras.diskUsage` (contract Appendix B): what images, containers and volumes take. */
import assert from "node:assert/strict";
import type { DiskUsage } from "../../runtime/extras.ts";
import type { CallOptions } from "../../runtime/types.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, rejectsBecause } from "./expect.ts";

async function usage(t: ContractContext, o?: CallOptions): Promise<DiskUsage> {
  const { diskUsage } = t.runtime.extras ?? {};
  assert.ok(diskUsage !== undefined, "the backend measures its store");
  return diskUsage(o);
}

export const diskUsageCases: readonly ContractCase[] = [
  {
    name: "disk usage names every image with its size, its sharing and the containers that use it",
    needs: ["disk-usage", "inspectImageNative", "inspectDetailed"],
    run: async (t) => {
      const { id, size } = await t.runtime.inspectImageNative(t.images.demo);
      const before = (await usage(t)).images.find((image) => image.id === id);
      assert.ok(before !== undefined, "the image is listed");
      assert.ok(before.references.includes(t.images.demo), before.references.join());
      assert.equal(before.sizeBytes, size);
      assert.ok(before.sharedBytes >= 0 && before.sharedBytes <= before.sizeBytes);
      await t.create();
      assert.equal((await usage(t)).images.find((image) => image.id === id)?.containers, before.containers + 1);
    },
  },
  {
    name: "disk usage counts a layer of several images once",
    needs: ["disk-usage"],
    run: async (t) => {
      const { images, layersBytes } = await usage(t);
      assert.ok(layersBytes > 0);
      assert.ok(layersBytes <= images.reduce((sum, image) => sum + image.sizeBytes, 0));
      for (const image of images) assert.ok(layersBytes >= image.sizeBytes, "all layers are at least those of one image");
    },
  },
  {
    name: "disk usage has the bytes of a container's own layer, and whether it runs",
    needs: ["disk-usage", "inspectDetailed"],
    run: async (t) => {
      const one = async (id: Awaited<ReturnType<typeof t.create>>) => {
        const { hexId } = await t.runtime.inspectDetailed(id);
        return (await usage(t)).containers.find((container) => container.hexId === hexId);
      };
      const writer = await t.finish({ argv: program(step.append("/file", "x".repeat(4000))) });
      const found = await one(writer.id);
      assert.equal(found?.writableBytes, 4000);
      assert.equal(found?.running, false);
      assert.deepEqual(found?.containerId, writer.id);
      assert.equal((await one(await t.service()))?.running, true);
    },
  },
  {
    name: "disk usage has the bytes of volumes and how many containers use them",
    needs: ["disk-usage", "volumes"],
    run: async (t) => {
      const name = t.newId().service;
      t.defer(() => t.runtime.extras?.volumes?.remove(name, { force: true }));
      const { id } = await t.finish({ argv: programs.append("/v/file", "x".repeat(3000)), storage: [{ type: "named", name, target: "/v" }] });
      const find = async () => (await usage(t)).volumes.find((volume) => volume.name === name);
      assert.deepEqual(await find(), { name, sizeBytes: 3000, containers: 1 });
      await t.runtime.removeContainer(id);
      assert.deepEqual(await find(), { name, sizeBytes: 3000, containers: 0 });
    },
  },
  {
    name: "disk usage that was aborted before it began rejects with the reason",
    needs: ["disk-usage"],
    run: async (t) => {
      const { signal, reason, abort } = aborter();
      abort();
      await rejectsBecause(reason, usage(t, { signal }));
    },
  },
];
