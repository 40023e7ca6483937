/** Methods 43 and 37: what a container changed, and an image made of it. */
import assert from "node:assert/strict";
import { type ContainerId, sameContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { collect } from "../tar-listing.ts";
import { writeTar } from "../tar-writer.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

async function changes(t: ContractContext, id: ContainerId): Promise<readonly string[]> {
  return (await t.runtime.changesContainer(id)).map(({ path, kind }) => `${kind} ${path}`);
}

async function commit(t: ContractContext, id: ContainerId, options: Parameters<ContractContext["runtime"]["commitContainer"]>[1] = {}): Promise<string> {
  return (await t.runtime.commitContainer(id, options)).id;
}

const busy = program(step.trapExit("TERM", 0), step.append("/made.txt", "made\n"), step.line("ready"), step.forever());

export const changesCases: readonly ContractCase[] = [
  {
    name: "a container that changed nothing has no changes, before, while and after it runs",
    needs: ["changesContainer"],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever(), storage: [{ type: "named", name: t.newId().service, target: "/deep/in/vol" }] });
      assert.deepEqual(await changes(t, id), []);
      await t.runtime.startContainer(id);
      await t.logged(id, "ready");
      assert.deepEqual(await changes(t, id), []);
      await t.runtime.stopContainer(id);
      assert.deepEqual(await changes(t, id), []);
    },
  },
  {
    name: "files a container made are its changes, contents of volumes and tmpfs are not",
    needs: ["changesContainer"],
    run: async (t) => {
      const storage = [
        { type: "named" as const, name: t.newId().service, target: "/vol" },
        { type: "tmpfs" as const, target: "/mem" },
      ];
      const steps = ["/made.txt", "/vol/not.txt", "/mem/not.txt", "/tmp/also.txt"].map((path) => step.append(path, "x"));
      const { id } = await t.finish({ storage, argv: program(...steps) });
      assert.deepEqual(await changes(t, id), ["added /made.txt", "modified /tmp", "added /tmp/also.txt"]);
    },
  },
  {
    name: "changes of a container nobody knows are not found",
    needs: ["changesContainer", "commitContainer"],
    run: async (t) => {
      await rejectsWith("not_found", t.runtime.changesContainer(t.newId()));
      await rejectsWith("not_found", t.runtime.commitContainer(t.newId(), {}));
    },
  },
];

export const commitCases: readonly ContractCase[] = [
  {
    name: "a committed image has what the container made, and runs",
    needs: ["commitContainer", "inspectImageNative"],
    run: async (t) => {
      const { id } = await t.finish({ argv: program(step.append("/made.txt", "made\n")) });
      const name = `committed/${t.newId().service}`;
      const image = await commit(t, id, { repo: name, tag: "v1" });
      assert.match(image, /^sha256:[0-9a-f]{64}$/);
      assert.equal((await t.runtime.inspectImageNative(`${name}:v1`)).id, image);
      const layers = (await t.runtime.inspectImageNative(t.images.demo)).layers.length;
      assert.equal((await t.runtime.inspectImageNative(image)).layers.length, layers + 1);
      assert.equal((await t.finish({ image: `${name}:v1`, argv: programs.cat("/made.txt") })).stdout, "made\n");
    },
  },
  {
    name: "a committed image starts as its container did, with the changes asked for, and without secrets",
    needs: ["commitContainer", "inspectImageNative", "imageHistory"],
    run: async (t) => {
      const spec = {
        env: { OWN: "1", DEMO: "mine" },
        labels: { own: "label" },
        command: { entrypoint: ["/bin/true"], args: ["a b", "c"], workdir: "/tmp" },
        user: "1000",
      };
      const id = await t.create({ image: t.images.configured, ...spec });
      const image = await commit(t, id, { author: "somebody", comment: "for a test", changes: 'ENV MORE=2\nCMD ["x"]\nLABEL k=v\nEXPOSE 8080' });
      const inspected = await t.runtime.inspectImageNative(image);
      assert.deepEqual([inspected.entrypoint, inspected.cmd, inspected.workingDir, inspected.user], [["/bin/true"], ["x"], "/tmp", "1000"]);
      for (const entry of ["OWN=1", "DEMO=mine", "MORE=2", "FROM_IMAGE=1"]) assert.ok(inspected.env.includes(entry), entry);
      assert.equal(inspected.env.filter((entry) => entry.startsWith("DEMO=")).length, 1);
      assert.deepEqual(inspected.labels, { "demo.label": "from the image", own: "label", k: "v" });
      assert.deepEqual([...(inspected.exposedPorts ?? [])].sort(), ["80/tcp", "8080/tcp"]);
      assert.deepEqual([inspected.author, inspected.comment], ["somebody", "for a test"]);
      assert.equal((await t.runtime.imageHistory(image))[0]?.comment, "for a test");
    },
  },
  {
    name: "the history of a committed image tells the whole command of its container",
    needs: ["commitContainer", "imageHistory"],
    run: async (t) => {
      const image = await commit(t, await t.create({ command: { entrypoint: ["/bin/true"], args: ["a b", "c"] } }));
      assert.equal((await t.runtime.imageHistory(image))[0]?.createdBy, "/bin/true a b c");
    },
  },
  {
    name: "a running container goes on after a commit, also after one that fails",
    needs: ["commitContainer", "inspectDetailed"],
    run: async (t) => {
      const id = await t.start({ argv: busy });
      await t.logged(id, "ready");
      await commit(t, id);
      assert.equal((await t.runtime.inspectDetailed(id)).paused, false);
      await rejectsWith("invalid_spec", t.runtime.commitContainer(id, { changes: "FROM scratch" }));
      await commit(t, id, { pause: false });
      assert.equal((await t.runtime.exec(id, programs.cat("/made.txt"))).stdout, "made\n");
      await t.runtime.stopContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 0);
    },
  },
  {
    name: "a paused container can be committed and stays paused",
    needs: ["commitContainer", "pauseContainer", "unpauseContainer", "inspectDetailed"],
    run: async (t) => {
      const id = await t.start({ argv: busy });
      await t.logged(id, "ready");
      await t.runtime.pauseContainer(id);
      await commit(t, id);
      assert.equal((await t.runtime.inspectDetailed(id)).paused, true);
      await t.runtime.unpauseContainer(id);
    },
  },
  {
    name: "a commit with bad arguments makes nothing",
    needs: ["commitContainer", "listImages"],
    run: async (t) => {
      const id = await t.create();
      const before = await t.runtime.listImages();
      for (const options of [{ repo: "Bad/../name" }, { repo: "a/b", tag: "bad tag" }, { tag: "lonely" }, { changes: "RUN true" }]) {
        await rejectsWith("invalid_spec", t.runtime.commitContainer(id, options));
      }
      const { signal, reason, abort } = aborter();
      abort();
      await rejectsBecause(reason, t.runtime.commitContainer(id, {}, { signal }));
      assert.deepEqual(await t.runtime.listImages(), before);
    },
  },
  {
    name: "copies, exports and commits are told as events, in Docker's words",
    needs: ["events", "archiveGet", "archivePut", "exportContainerFs", "commitContainer"],
    run: async (t) => {
      const id = await t.create();
      const since = new Date();
      await t.runtime.archivePut(id, "/tmp", writeTar([{ name: "f", data: "x" }]));
      await collect(await t.runtime.archiveGet(id, "/tmp/f"));
      await collect(await t.runtime.exportContainerFs(id));
      const image = await commit(t, id, { comment: "told" });
      const stream = (await t.runtime.extras?.events?.({ since, until: new Date() })) ?? assert.fail("events are there");
      const told = (await Array.fromAsync(stream)).filter((event) => event.containerId !== undefined && sameContainerId(event.containerId, id));
      const actions = told.map(({ action }) => action).filter((action) => action !== "create");
      assert.deepEqual(actions, ["extract-to-dir", "archive-path", "export", "commit"]);
      const { attributes } = told.at(-1)?.actor ?? assert.fail("the commit was told");
      assert.deepEqual([attributes["comment"], attributes["imageID"]], ["told", image]);
    },
  },
];
