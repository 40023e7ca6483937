/** Volumes as things of their own (contract Appendix B): made, listed, used, removed, pruned. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { VolumesFacet } from "../../runtime/extras.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

function facet(t: ContractContext): VolumesFacet {
  const { volumes } = t.runtime.extras ?? {};
  assert.ok(volumes !== undefined, "the backend has volumes");
  return volumes;
}

/** A name nothing else has; removed after the case. */
function newName(t: ContractContext, prefix = "v"): string {
  const name = `${prefix}${t.newId().service}`;
  t.defer(() => facet(t).remove(name, { force: true }));
  return name;
}

const fileIn = (name: string) => ({ argv: programs.append("/v/file", "kept\n"), storage: [{ type: "named" as const, name, target: "/v" }] });

export const volumeCases: readonly ContractCase[] = [
  {
    name: "a volume that was made is inspected and listed with its labels, and used by nobody",
    needs: ["volumes"],
    run: async (t) => {
      const name = newName(t);
      const made = await facet(t).create({ name, labels: { tier: "gold", empty: "" } });
      assert.equal(made.name, name);
      assert.equal(made.driver, "local");
      assert.equal(made.anonymous, false);
      assert.deepEqual(made.labels, { tier: "gold", empty: "" });
      assert.deepEqual(made.usedBy, []);
      assert.ok(made.createdAt !== undefined && Math.abs(made.createdAt.getTime() - Date.now()) < 60_000);
      assert.deepEqual(await facet(t).inspect(name), made);
      assert.deepEqual(
        (await facet(t).list()).find((volume) => volume.name === name),
        made,
      );
    },
  },
  {
    name: "making a volume again answers the first one, with other options it is a conflict",
    needs: ["volumes"],
    run: async (t) => {
      const name = newName(t);
      const first = await facet(t).create({ name, labels: { a: "1" } });
      assert.deepEqual(await facet(t).create({ name, labels: { a: "2" } }), first);
      const error = await rejectsWith("conflict", facet(t).create({ name, options: { type: "tmpfs", device: "tmpfs" } }));
      assert.ok(error.message.includes(name), error.message);
    },
  },
  {
    name: "a volume without a name gets one of 64 hex digits and is anonymous",
    needs: ["volumes"],
    run: async (t) => {
      const { name, anonymous } = await facet(t).create({});
      t.defer(() => facet(t).remove(name, { force: true }));
      assert.match(name, /^[0-9a-f]{64}$/);
      assert.equal(anonymous, true);
    },
  },
  {
    name: "names that are no names, options and drivers that do not exist are refused",
    needs: ["volumes"],
    run: async (t) => {
      for (const name of ["../etc", ".hidden", "a/b", "with space", "-x", "x".repeat(300)]) {
        await rejectsWith("invalid_spec", facet(t).create({ name }));
        await rejectsWith("invalid_spec", facet(t).inspect(name));
        await rejectsWith("invalid_spec", facet(t).remove(name, { force: true }));
      }
      await rejectsWith("invalid_spec", facet(t).create({ name: newName(t), options: { colour: "blue" } }));
      await rejectsWith("unsupported", facet(t).create({ name: newName(t), options: { type: "squashfs", device: "/dev/null" } }));
      await rejectsWith("unsupported", facet(t).create({ name: newName(t), driver: "rexray" as "local" }));
      assert.deepEqual(
        (await facet(t).list()).filter((volume) => /^v?case-/.test(volume.name) && volume.usedBy.length === 0 && Object.keys(volume.options).length > 0),
        [],
      );
    },
  },
  {
    name: "an unknown volume is not found, and its forced removal is nothing",
    needs: ["volumes"],
    run: async (t) => {
      const name = newName(t);
      await rejectsWith("not_found", facet(t).inspect(name));
      await rejectsWith("not_found", facet(t).remove(name));
      await facet(t).remove(name, { force: true });
    },
  },
  {
    name: "a volume in use says by whom and cannot be removed, not even by force; afterwards it can",
    needs: ["volumes", "inspectDetailed"],
    run: async (t) => {
      const name = newName(t, "V.");
      const { id } = await t.finish(fileIn(name));
      const { hexId } = await t.runtime.inspectDetailed(id);
      assert.deepEqual((await facet(t).inspect(name)).usedBy, [hexId]);
      await rejectsWith("conflict", facet(t).remove(name));
      await rejectsWith("conflict", facet(t).remove(name, { force: true }));
      await t.runtime.removeContainer(id);
      assert.deepEqual((await facet(t).inspect(name)).usedBy, []);
      await facet(t).remove(name);
      await rejectsWith("not_found", facet(t).inspect(name));
      const again = await t.finish({ ...fileIn(name), argv: program(step.exists("/v/file")) });
      assert.equal(again.stdout, "no\n");
      await t.runtime.removeContainer(again.id);
    },
  },
  {
    name: "a volume made before is the one its container gets",
    needs: ["volumes"],
    run: async (t) => {
      const name = newName(t);
      await facet(t).create({ name, labels: { mine: "yes" } });
      const first = await t.finish(fileIn(name));
      await t.runtime.removeContainer(first.id);
      const second = await t.finish({ ...fileIn(name), argv: programs.cat("/v/file") });
      assert.equal(second.stdout, "kept\n");
      assert.deepEqual((await facet(t).inspect(name)).labels, { mine: "yes" });
      await t.runtime.removeContainer(second.id);
    },
  },
  {
    name: "anonymous volumes are listed while their container is there and go with it, unless they are kept",
    needs: ["volumes", "inspectDetailed"],
    run: async (t) => {
      const storage = [{ type: "anonymous" as const, target: "/v" }];
      const make = async () => {
        const id = await t.create({ storage });
        const mount = (await t.runtime.inspectDetailed(id)).mounts?.find((one) => one.target === "/v");
        assert.match(mount?.name ?? "", /^[0-9a-f]{64}$/);
        return { id, name: mount?.name ?? "" };
      };
      const [gone, kept] = [await make(), await make()];
      assert.equal((await facet(t).inspect(gone.name)).anonymous, true);
      await t.runtime.removeContainer(gone.id);
      await rejectsWith("not_found", facet(t).inspect(gone.name));
      await t.runtime.removeContainer(kept.id, { keepAnonymousVolumes: true });
      assert.deepEqual((await facet(t).inspect(kept.name)).usedBy, []);
      await facet(t).remove(kept.name);
    },
  },
  {
    name: "an anonymous volume another container mounts by its name stays when its own container goes",
    needs: ["volumes", "inspectDetailed"],
    run: async (t) => {
      const owner = await t.create({ storage: [{ type: "anonymous", target: "/v" }] });
      const name = (await t.runtime.inspectDetailed(owner)).mounts?.find((one) => one.target === "/v")?.name ?? "";
      const guest = await t.create({ storage: [{ type: "named", name, target: "/w" }] });
      await t.runtime.removeContainer(owner);
      assert.equal((await facet(t).inspect(name)).usedBy.length, 1);
      await t.runtime.removeContainer(guest);
    },
  },
  {
    name: "prune takes unused anonymous volumes; with all named ones too; labels choose; used ones stay",
    needs: ["volumes"],
    run: async (t) => {
      const label = newName(t, "label-");
      const make = (name: string | undefined, labels: Record<string, string>) => facet(t).create({ name, labels: { [label]: "1", ...labels } });
      const [named, chosen] = [newName(t), newName(t)];
      const anonymous = (await make(undefined, {})).name;
      await make(named, {});
      await make(chosen, { colour: "red" });
      const used = newName(t);
      await make(used, {});
      const id = await t.create(fileIn(used));
      assert.deepEqual((await facet(t).prune({ labels: [label] })).deleted, [anonymous]);
      assert.deepEqual((await facet(t).prune({ all: true, labels: [label, "colour=red"] })).deleted, [chosen]);
      assert.deepEqual((await facet(t).prune({ all: true, labels: [label, `!${label}`] })).deleted, []);
      assert.deepEqual((await facet(t).prune({ all: true, labels: [label] })).deleted, [named]);
      await t.runtime.removeContainer(id);
      assert.deepEqual((await facet(t).prune({ all: true, labels: [`${label}=1`] })).deleted, [used]);
    },
  },
  {
    name: "prune says how many bytes it freed",
    needs: ["volumes"],
    run: async (t) => {
      const [name, label] = [newName(t), newName(t, "label-")];
      await facet(t).create({ name, labels: { [label]: "" } });
      const { id } = await t.finish({ ...fileIn(name), argv: programs.append("/v/file", "x".repeat(5000)) });
      await t.runtime.removeContainer(id);
      assert.deepEqual(await facet(t).prune({ all: true, labels: [label] }), { deleted: [name], spaceReclaimed: 5000 });
    },
  },
  {
    name: "volumes, their labels and their users are known to whoever opens the state next",
    needs: ["volumes", "reopen"],
    run: async (t) => {
      const name = newName(t);
      await facet(t).create({ name, labels: { a: "b" } });
      await t.create(fileIn(name));
      const second = await t.reopen();
      assert.deepEqual(await second.extras?.volumes?.inspect(name), await facet(t).inspect(name));
      await rejectsWith("conflict", second.extras?.volumes?.remove(name) ?? Promise.resolve());
    },
  },
  {
    name: "calls about volumes that were aborted before they began reject with the reason",
    needs: ["volumes"],
    run: async (t) => {
      const { signal, reason, abort } = aborter();
      abort();
      const name = newName(t);
      await rejectsBecause(reason, facet(t).create({ name }, { signal }));
      await rejectsBecause(reason, facet(t).list({ signal }));
      await rejectsBecause(reason, facet(t).prune({ signal }));
      await rejectsWith("not_found", facet(t).inspect(name));
    },
  },
  {
    name: "a volume that was made empty gets the image's files on its first use, with nocopy it stays empty",
    needs: ["volumes", "kernel"],
    run: async (t) => {
      const [filled, empty] = [newName(t), newName(t)];
      await facet(t).create({ name: filled });
      const mount = (name: string, nocopy: boolean) => ({ storage: [{ type: "named" as const, name, target: "/demo/seed", nocopy }] });
      assert.equal(await t.shell("cat /demo/seed/hello.txt", mount(filled, false)), "from the image");
      assert.equal(await t.shell("ls /demo/seed | wc -l", mount(empty, true)), "0");
    },
  },
  {
    name: "many containers made at once with one fresh volume all see the image's files",
    needs: ["volumes", "kernel"],
    run: async (t) => {
      const storage = [{ type: "named" as const, name: newName(t), target: "/demo/seed" }];
      const ids = await Promise.all([1, 2, 3, 4].map(() => t.start({ storage, argv: programs.cat("/demo/seed/hello.txt") })));
      for (const id of ids) {
        assert.equal(await t.runtime.waitContainer(id), 0);
        assert.equal(await t.text(id), "from the image\n");
        await t.runtime.removeContainer(id);
      }
    },
  },
  {
    name: "a volume with o=bind shows a directory of the host, which outlives it",
    needs: ["volumes", "kernel"],
    run: async (t) => {
      const [name, device] = [newName(t), t.hostDir()];
      writeFileSync(join(device, "host.txt"), "from the host\n");
      await facet(t).create({ name, options: { type: "none", o: "bind", device } });
      assert.equal(await t.shell("cat /v/host.txt; echo back > /v/container.txt", { storage: [{ type: "named", name, target: "/v" }] }), "from the host");
      assert.equal(readFileSync(join(device, "container.txt"), "utf8"), "back\n");
      await rejectsWith("invalid_spec", facet(t).create({ name: newName(t), options: { type: "none", device } }));
      await rejectsWith("invalid_spec", facet(t).create({ name: newName(t), options: { type: "none", o: "bind", device: "relative" } }));
    },
  },
  {
    name: "a volume of type tmpfs is shared by the containers that run, limited in size, and empty once none does",
    needs: ["volumes", "kernel"],
    run: async (t) => {
      const name = newName(t);
      await facet(t).create({ name, options: { type: "tmpfs", device: "tmpfs", o: "size=1m,mode=0750" } });
      const storage = [{ type: "named" as const, name, target: "/v" }];
      const [one, two] = [await t.service({ storage }), await t.service({ storage })];
      await t.runtime.exec(one, programs.append("/v/file", "shared\n"));
      await t.runtime.stopContainer(one);
      assert.equal((await t.runtime.exec(two, programs.cat("/v/file"))).stdout, "shared\n");
      const facts = "df -k /v | tail -1 | tr -s ' ' | cut -d' ' -f2; stat -c %a /v";
      assert.equal((await t.runtime.exec(two, programs.shell(facts))).stdout, "1024\n750\n");
      for (const id of [one, two]) await t.runtime.removeContainer(id);
      assert.equal(await t.shell("ls /v | wc -l", { storage }), "0");
    },
  },
  {
    name: "a volume's events tell when it was made, mounted by whom, let go and removed",
    needs: ["volumes", "events", "inspectDetailed"],
    run: async (t) => {
      const name = newName(t);
      const { id } = await t.finish(fileIn(name));
      const { hexId } = await t.runtime.inspectDetailed(id);
      await t.runtime.removeContainer(id);
      await facet(t).remove(name);
      const { events } = t.runtime.extras ?? {};
      const seen = (await Array.fromAsync((await events?.({ since: new Date(0), until: new Date() })) ?? [])).filter(({ actor }) => actor.id === name);
      assert.deepEqual(
        seen.map(({ type, action }) => `${type} ${action}`),
        ["volume create", "volume mount", "volume unmount", "volume destroy"],
      );
      assert.equal(seen[1]?.actor.attributes["container"], hexId);
      assert.equal(seen[1]?.actor.attributes["destination"], "/v");
      assert.equal(seen[2]?.actor.attributes["container"], hexId);
    },
  },
  {
    name: "without a remote store a sync of volumes succeeds and changes nothing, running or not",
    needs: ["volumes", "syncContainerVolumes"],
    run: async (t) => {
      const name = newName(t);
      const id = await t.service({ storage: [{ type: "named", name, target: "/v" }] });
      const before = await facet(t).inspect(name);
      await t.runtime.syncContainerVolumes(id);
      await t.runtime.stopContainer(id);
      await t.runtime.syncContainerVolumes(id);
      assert.deepEqual(await facet(t).inspect(name), before);
      assert.deepEqual((await facet(t).sync?.()) ?? [], []);
      await t.runtime.removeContainer(id);
    },
  },
];
