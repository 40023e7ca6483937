/** Methods 1, 2, 24, 25 and 30, and the image methods a backend may have besides. */
import assert from "node:assert/strict";
import type { PullProgress } from "../../runtime/types.ts";
import type { PullPolicy } from "../../spec/service-spec.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

async function isListed(t: ContractContext, reference: string): Promise<boolean> {
  return (await t.runtime.listImages()).some((image) => image.reference === reference);
}

async function idOf(t: ContractContext, reference: string): Promise<string | undefined> {
  return (await t.runtime.inspectImageNative(reference)).id;
}

async function events(t: ContractContext, reference: string): Promise<readonly PullProgress[]> {
  return await Array.fromAsync(await t.runtime.pullImageStream(reference));
}

export const imageCases: readonly ContractCase[] = [
  {
    name: "a pulled image can be run and is listed",
    needs: ["listImages"],
    run: async (t) => {
      const reference = await t.images.fresh();
      assert.equal(await isListed(t, reference), false);
      await t.runtime.pullImage(reference);
      assert.ok(await isListed(t, reference));
      assert.equal((await t.finish({ image: reference, argv: programs.exitWith(14) })).code, 14);
    },
  },
  {
    name: "pulling an image the registry does not know fails and leaves nothing",
    needs: ["listImages"],
    run: async (t) => {
      const error = await rejectsWith("pull_failed", t.runtime.pullImage(t.images.missing));
      assert.ok(error.message.includes(t.images.missing), error.message);
      assert.equal(await isListed(t, t.images.missing), false);
    },
  },
  {
    name: "a malformed reference is refused before anything is asked",
    needs: [],
    run: async (t) => {
      for (const bad of ["", "UPPER/Case", "a b", "name:", "name@sha256:123", ":tag", "//x"]) {
        await rejectsWith("invalid_spec", t.runtime.pullImage(bad));
      }
      await rejectsWith("invalid_spec", t.runtime.pullImageStream("UPPER/Case"));
    },
  },
  {
    name: "an unknown pull policy is refused",
    needs: [],
    run: async (t) => {
      await rejectsWith("invalid_spec", t.runtime.pullImageWithPolicy(t.images.demo, "sometimes" as PullPolicy));
    },
  },
  {
    name: "if_not_present and never do not ask the registry for what is here",
    needs: [],
    run: async (t) => {
      const { reference, lose, restore } = await t.images.losable();
      await t.runtime.pullImage(reference);
      t.defer(restore);
      await lose();
      await t.runtime.pullImage(reference);
      await t.runtime.pullImageWithPolicy(reference, "if_not_present");
      await t.runtime.pullImageWithPolicy(reference, "never");
    },
  },
  {
    name: "newer keeps the local image when the registry cannot be reached, always fails",
    needs: ["inspectImageNative"],
    run: async (t) => {
      const { reference, lose, restore } = await t.images.losable();
      await t.runtime.pullImage(reference);
      const id = await idOf(t, reference);
      t.defer(restore);
      await lose();
      await t.runtime.pullImageWithPolicy(reference, "newer");
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(reference, "always"));
      assert.equal(await idOf(t, reference), id);
    },
  },
  {
    name: "never fails for an image that is not here",
    needs: [],
    run: async (t) => {
      const reference = await t.images.fresh();
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(reference, "never"));
    },
  },
  {
    name: "a tag that moved: if_not_present keeps the old image, newer and always take the new one",
    needs: ["inspectImageNative"],
    run: async (t) => {
      for (const policy of ["newer", "always"] as const) {
        const reference = await t.images.fresh();
        await t.runtime.pullImage(reference);
        const old = await idOf(t, reference);
        await t.images.republish(reference);
        await t.runtime.pullImageWithPolicy(reference, "if_not_present");
        assert.equal(await idOf(t, reference), old);
        await t.runtime.pullImageWithPolicy(reference, policy);
        assert.notEqual(await idOf(t, reference), old);
      }
    },
  },
  {
    name: "a container keeps its image when the tag moves away",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const reference = await t.images.fresh();
      await t.runtime.pullImage(reference);
      const id = await t.create({ image: reference, argv: programs.exitWith(15) });
      const { imageId } = await t.runtime.inspectDetailed(id);
      await t.images.republish(reference);
      await t.runtime.pullImageWithPolicy(reference, "always");
      await t.runtime.startContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 15);
      assert.equal((await t.runtime.inspectDetailed(id)).imageId, imageId);
    },
  },
  {
    name: "an image for another processor is not pulled by accident, but when asked for",
    needs: ["inspectImageNative"],
    run: async (t) => {
      const error = await rejectsWith("pull_failed", t.runtime.pullImage(t.images.otherPlatform));
      assert.match(error.message, /no matching manifest|platform/);
      await t.runtime.pullImage(t.images.otherPlatform, { platform: { os: "linux", arch: "s390x" } });
      assert.equal((await t.runtime.inspectImageNative(t.images.otherPlatform)).architecture, "s390x");
    },
  },
  {
    name: "an image can be pulled and found by its digest",
    needs: ["inspectImageNative"],
    run: async (t) => {
      const reference = await t.images.fresh();
      await t.runtime.pullImage(reference);
      const { repoDigests, id } = await t.runtime.inspectImageNative(reference);
      const byDigest = repoDigests.find((one) => one.startsWith(reference.replace(/:[^:/]*$/, "")));
      assert.ok(byDigest !== undefined, JSON.stringify(repoDigests));
      await t.runtime.pullImage(byDigest);
      assert.equal(await idOf(t, byDigest), id);
    },
  },
  {
    name: "eight pulls of one image at once all succeed",
    needs: [],
    run: async (t) => {
      const reference = await t.images.fresh();
      await Promise.all(Array.from({ length: 8 }, () => t.runtime.pullImage(reference)));
      assert.equal((await t.finish({ image: reference, argv: programs.exitWith(1) })).code, 1);
    },
  },
  {
    name: "a pull that is aborted already does nothing",
    needs: ["listImages"],
    run: async (t) => {
      const reference = await t.images.fresh();
      const { signal, reason, abort } = aborter();
      abort();
      await rejectsBecause(reason, t.runtime.pullImage(reference, { signal }));
      assert.equal(await isListed(t, reference), false);
    },
  },
  {
    name: "one aborted pull does not disturb another of the same image",
    needs: [],
    run: async (t) => {
      const reference = await t.images.fresh();
      const { signal, abort } = aborter();
      const aborted = t.runtime.pullImage(reference, { signal }).catch(() => {});
      const other = t.runtime.pullImage(reference);
      abort();
      await Promise.all([aborted, other]);
      assert.equal((await t.finish({ image: reference, argv: programs.exitWith(0) })).code, 0);
    },
  },
  {
    name: "a private image needs the right account, and no error holds the password",
    needs: ["private-registry"],
    run: async (t) => {
      const account = t.images.private;
      assert.ok(account !== undefined);
      const wrong = { username: account.username, password: "a-wrong-secret-4711" };
      const error = await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(account.reference, "always", wrong));
      const everything = `${error.message} ${JSON.stringify(error)} ${String(error.cause)} ${error.stack}`;
      assert.ok(!everything.includes(wrong.password) && !everything.includes(Buffer.from(`${wrong.username}:${wrong.password}`).toString("base64")));
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(account.reference, "always"));
      await t.runtime.pullImageWithPolicy(account.reference, "always", account);
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(account.reference, "always", wrong));
    },
  },
  {
    name: "pullImageStream reports layers in Docker's words and ends with one done",
    needs: ["pullImageStream"],
    run: async (t) => {
      const reference = await t.images.fresh();
      const all = await events(t, reference);
      const last = all.at(-1);
      assert.ok(last?.kind === "done" && last.reference === reference, JSON.stringify(last));
      assert.equal(all.filter((event) => event.kind === "done").length, 1);
      assert.equal((await t.finish({ image: reference, argv: programs.exitWith(0) })).code, 0);
      const again = (await events(t, reference)).map((event) => (event.kind === "status" ? event.status : "done"));
      assert.equal(again.at(-1), "done");
    },
  },
  {
    name: "pullImageStream of content that is new tells of its layers, and at the end digest and status",
    needs: ["pullImageStream", "inspectImageNative"],
    run: async (t) => {
      const reference = await t.images.fresh();
      await t.images.republish(reference);
      const all = await events(t, reference);
      const statuses = all.flatMap((event) => (event.kind === "status" ? [event.status] : []));
      const ids = all.flatMap((event) => (event.kind === "status" && event.id !== undefined ? [event.id] : []));
      assert.ok(ids.length > 0 && ids.every((id) => /^[0-9a-f]{12}$/.test(id)), JSON.stringify(ids));
      assert.ok(statuses.includes("Pull complete"), JSON.stringify(statuses));
      assert.ok(
        statuses.some((status) => /^Digest: sha256:[0-9a-f]{64}$/.test(status)),
        JSON.stringify(statuses),
      );
      assert.ok(
        statuses.some((status) => status.startsWith("Status: Downloaded newer image for")),
        JSON.stringify(statuses),
      );
      const done = all.at(-1);
      assert.ok(done?.kind === "done" && /^sha256:/.test(done.digest ?? ""));
      const second = (await events(t, reference)).flatMap((event) => (event.kind === "status" ? [event.status] : []));
      assert.ok(
        second.some((status) => status.startsWith("Status: Image is up to date for")),
        JSON.stringify(second),
      );
    },
  },
  {
    name: "pullImageStream of a missing image fails while it is read, without done",
    needs: ["pullImageStream"],
    run: async (t) => {
      const seen: PullProgress[] = [];
      const reading = (async () => {
        for await (const event of await t.runtime.pullImageStream(t.images.missing)) seen.push(event);
      })();
      await rejectsWith("pull_failed", reading);
      assert.ok(seen.every((event) => event.kind === "status"));
    },
  },
  {
    name: "leaving a pull stream, even twice, is no error, and the image can be pulled after",
    needs: ["pullImageStream"],
    run: async (t) => {
      const reference = await t.images.fresh();
      const stream = (await t.runtime.pullImageStream(reference))[Symbol.asyncIterator]();
      await stream.next();
      await stream.return?.();
      await stream.return?.();
      assert.equal((await stream.next()).done, true);
      await t.runtime.pullImage(reference);
    },
  },
  {
    name: "an aborted pull stream rejects with the reason",
    needs: ["pullImageStream"],
    run: async (t) => {
      const reference = await t.images.fresh();
      const { signal, reason, abort } = aborter();
      const stream = (await t.runtime.pullImageStream(reference, undefined, { signal }))[Symbol.asyncIterator]();
      await stream.next();
      abort();
      await rejectsBecause(reason, drainAll(stream));
      await t.runtime.pullImage(reference);
    },
  },
  {
    name: "list is sorted by reference and knows id, digest and size",
    needs: ["listImages", "inspectImageNative"],
    run: async (t) => {
      const list = await t.runtime.listImages();
      const references = list.map((image) => image.reference);
      assert.deepEqual(
        references,
        [...references].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
      );
      const demo = list.find((image) => image.reference === t.images.demo);
      assert.match(demo?.digest ?? "", /^sha256:[0-9a-f]{64}$/);
      assert.ok((demo?.sizeBytes ?? 0) > 100_000, `${demo?.sizeBytes} bytes`);
      if (demo?.id !== undefined) assert.equal(demo.id, await idOf(t, t.images.demo));
    },
  },
  {
    name: "inspect finds an image by tag, id, prefix and digest",
    needs: ["inspectImageNative"],
    run: async (t) => {
      const { id = "", repoDigests } = await t.runtime.inspectImageNative(t.images.demo);
      assert.match(id, /^sha256:[0-9a-f]{64}$/);
      for (const name of [id, id.slice("sha256:".length), id.slice("sha256:".length, "sha256:".length + 12), ...repoDigests]) {
        assert.equal(await idOf(t, name), id, name);
      }
    },
  },
  {
    name: "inspect and create say not found for an image nobody pulled",
    needs: ["inspectImageNative"],
    run: async (t) => {
      for (const unknown of [t.images.missing, `sha256:${"0".repeat(64)}`, "0123456789ab", "no/such:image"]) {
        const error = await rejectsWith("not_found", t.runtime.inspectImageNative(unknown));
        assert.ok(error.message.includes(unknown.replace(/:latest$/, "")), error.message);
      }
    },
  },
  {
    name: "inspect answers the image config as it is",
    needs: ["inspectImageNative"],
    run: async (t) => {
      const image = await t.runtime.inspectImageNative(t.images.configured);
      assert.deepEqual(image.entrypoint, ["/demo/show-args", "entry"]);
      assert.deepEqual(image.cmd, ["cmd-a", "cmd b"]);
      assert.ok(image.env.includes("FROM_IMAGE=1"));
      assert.equal(image.workingDir, "/demo/work");
      assert.equal(image.user, "alice");
      assert.equal(image.stopSignal, "SIGUSR1");
      assert.deepEqual(image.labels, { "demo.label": "from the image" });
      assert.deepEqual(image.volumes, ["/data"]);
      assert.deepEqual(image.exposedPorts, ["80/tcp"]);
      assert.equal(image.os, "linux");
      assert.ok(image.layers.length === 2 && image.layers.every((layer) => /^sha256:[0-9a-f]{64}$/.test(layer)));
      assert.ok(image.repoTags.includes(t.images.configured));
    },
  },
  {
    name: "images are there for whoever opens the state next",
    needs: ["reopen", "listImages"],
    run: async (t) => {
      const second = await t.reopen();
      assert.deepEqual(await second.listImages(), await t.runtime.listImages());
    },
  },
  {
    name: "tagging gives a second name, removing the first keeps the image",
    needs: ["tagImage", "removeImage", "inspectImageNative"],
    run: async (t) => {
      const reference = await t.images.fresh();
      await t.images.republish(reference);
      await t.runtime.pullImage(reference);
      const id = await idOf(t, reference);
      await t.runtime.tagImage(reference, "local.example/second:name");
      assert.equal(await idOf(t, "local.example/second:name"), id);
      await t.runtime.removeImage(reference, false);
      await rejectsWith("not_found", t.runtime.inspectImageNative(reference));
      await t.runtime.removeImage("local.example/second:name", false);
      await rejectsWith("not_found", t.runtime.removeImage("local.example/second:name", false));
    },
  },
  {
    name: "tagging needs a tag and no digest, and a source that is here",
    needs: ["tagImage"],
    run: async (t) => {
      await rejectsWith("invalid_spec", t.runtime.tagImage(t.images.demo, "local.example/no-tag"));
      await rejectsWith("invalid_spec", t.runtime.tagImage(t.images.demo, `local.example/x@sha256:${"0".repeat(64)}`));
      await rejectsWith("not_found", t.runtime.tagImage(t.images.missing, "local.example/x:y"));
    },
  },
  {
    name: "an image in use is removed only by force, and its container goes on",
    needs: ["removeImage"],
    run: async (t) => {
      const reference = await t.images.fresh();
      await t.images.republish(reference);
      await t.runtime.pullImage(reference);
      const id = await t.create({ image: reference, argv: programs.exitWith(16) });
      await rejectsWith("conflict", t.runtime.removeImage(reference, false));
      await t.runtime.removeImage(reference, true);
      await t.runtime.startContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 16);
    },
  },
];

async function drainAll(stream: AsyncIterator<PullProgress>): Promise<void> {
  for (let next = await stream.next(); next.done !== true; next = await stream.next());
}
