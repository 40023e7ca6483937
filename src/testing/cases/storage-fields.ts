/** Fields of contract 1.3.3: binds, volumes, tmpfs; and the read-only root. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";

const fails = (command: string): string => `if ${command} 2>/dev/null; then echo done; else echo refused; fi`;

export const storageFieldCases: readonly ContractCase[] = [
  {
    name: "a named volume outlives its container and is shared by its name",
    needs: [],
    run: async (t) => {
      const storage = [{ type: "named" as const, name: t.newId().service, target: "/v" }];
      const first = await t.finish({ argv: program(step.append("/v/file", "kept\n")), storage });
      await t.runtime.removeContainer(first.id);
      assert.equal((await t.finish({ argv: programs.cat("/v/file"), storage })).stdout, "kept\n");
    },
  },
  {
    name: "two running containers share a named volume, one of them for reading only",
    needs: [],
    run: async (t) => {
      const name = t.newId().service;
      const writer = await t.service({ storage: [{ type: "named", name, target: "/w" }] });
      const reader = await t.service({ storage: [{ type: "named", name, target: "/r", readonly: true }] });
      await t.runtime.exec(writer, programs.append("/w/file", "shared\n"));
      assert.equal((await t.runtime.exec(reader, programs.cat("/r/file"))).stdout, "shared\n");
      assert.equal((await t.runtime.exec(reader, programs.append("/r/file", "no"))).exitCode, 1);
      assert.equal((await t.runtime.exec(writer, programs.cat("/w/file"))).stdout, "shared\n");
    },
  },
  {
    name: "a fresh named volume begins with the image's files, owners and modes; a used one keeps its own",
    needs: ["kernel"],
    run: async (t) => {
      const storage = [{ type: "named" as const, name: t.newId().service, target: "/demo/seed" }];
      const look = "cat /demo/seed/hello.txt /demo/seed/nested/deep.txt; stat -c '%U %a' /demo/seed/hello.txt";
      assert.equal(await t.shell(look, { storage }), "from the image\ndeep\nalice 640");
      await t.shell("rm -r /demo/seed/nested; echo changed > /demo/seed/hello.txt", { storage });
      assert.equal(await t.shell("cat /demo/seed/hello.txt; ls /demo/seed", { storage }), "changed\nhello.txt");
    },
  },
  {
    name: "an anonymous volume survives restarts and goes with its container",
    needs: ["kernel", "inspectDetailed"],
    run: async (t) => {
      const { id } = await t.finish({ argv: programs.shell("echo x >> /v/count; wc -l < /v/count"), storage: [{ type: "anonymous", target: "/v" }] });
      await t.runtime.startContainer(id);
      await t.runtime.waitContainer(id);
      assert.equal(await t.text(id), "1\n2\n");
      const mount = (await t.runtime.inspectDetailed(id)).mounts?.find((one) => one.target === "/v");
      assert.equal(mount?.type, "volume");
      assert.ok(statSync(mount?.source ?? "").isDirectory());
      await t.runtime.removeContainer(id);
      assert.throws(() => statSync(mount?.source ?? ""), { code: "ENOENT" });
    },
  },
  {
    name: "anonymous volumes stay when the removal says so",
    needs: ["kernel", "inspectDetailed"],
    run: async (t) => {
      const { id } = await t.finish({ argv: programs.shell("echo x > /v/file"), storage: [{ type: "anonymous", target: "/v" }] });
      const source = (await t.runtime.inspectDetailed(id)).mounts?.find((one) => one.target === "/v")?.source ?? "";
      await t.runtime.removeContainer(id, { keepAnonymousVolumes: true });
      assert.equal(readFileSync(join(source, "file"), "utf8"), "x\n");
    },
  },
  {
    name: "a VOLUME of the image becomes an anonymous volume with the image's files, unless something is mounted there",
    needs: ["kernel"],
    run: async (t) => {
      const image = t.images.configured;
      const look = (script: string): readonly string[] => programs.shell(`${script}; grep -c ' /data ' /proc/mounts`);
      const own = await t.finish({ image, command: { entrypoint: look("cat /data/image.txt") } });
      assert.equal(own.stdout, "from the image\n1\n");
      const other = await t.finish({ image, command: { entrypoint: look("ls /data") }, storage: [{ type: "tmpfs", target: "/data" }] });
      assert.equal(other.stdout, "1\n");
    },
  },
  {
    name: "a bind shows the host's files and takes writes back",
    needs: ["kernel"],
    run: async (t) => {
      const source = t.hostDir();
      writeFileSync(join(source, "host.txt"), "from the host\n");
      assert.equal(await t.shell("cat /b/host.txt; echo back > /b/container.txt", { storage: [{ type: "bind", source, target: "/b" }] }), "from the host");
      assert.equal(readFileSync(join(source, "container.txt"), "utf8"), "back\n");
    },
  },
  {
    name: "a read-only bind refuses writes, below its submounts too, and a single file can be bound",
    needs: ["kernel"],
    run: async (t) => {
      const source = t.hostDir();
      mkdirSync(join(source, "sub"));
      writeFileSync(join(source, "file"), "content\n");
      const storage = [
        { type: "bind" as const, source, target: "/b", readonly: true },
        { type: "bind" as const, source: join(source, "file"), target: "/etc/single" },
        { type: "bind" as const, source: join(source, "file"), target: "/single", readonly: true },
      ];
      const script = `${fails("touch /b/sub/x")}; cat /etc/single /single; ${fails("echo x > /single")}`;
      assert.equal(await t.shell(script, { storage }), "refused\ncontent\ncontent\nrefused");
    },
  },
  {
    name: "a bind of a path that does not exist is refused and makes nothing",
    needs: ["kernel"],
    run: async (t) => {
      const source = join(t.hostDir(), "missing");
      const started = (async () => {
        const id = await t.create({ storage: [{ type: "bind", source, target: "/b" }] });
        await t.runtime.startContainer(id);
      })();
      await assert.rejects(started, (error: Error) => error.message.includes(source));
      assert.throws(() => statSync(source), { code: "ENOENT" });
    },
  },
  {
    name: "tmpfs is empty at every start, has its size and mode and executes no set-user-id",
    needs: ["kernel"],
    run: async (t) => {
      const storage = [{ type: "tmpfs" as const, target: "/t", size: "1Mi", mode: 0o750 }];
      const script =
        "ls /t | wc -l; stat -c %a /t; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2; grep ' /t ' /proc/mounts | grep -c nosuid,nodev; touch /t/x";
      const { id } = await t.finish({ argv: programs.shell(script), storage });
      await t.runtime.startContainer(id);
      await t.runtime.waitContainer(id);
      assert.equal(await t.text(id), "0\n750\n1024\n1\n".repeat(2));
    },
  },
  {
    name: "tmpfs is fresh at every start",
    needs: [],
    run: async (t) => {
      const { id } = await t.finish({ argv: program(step.exists("/t/mark"), step.append("/t/mark", "x")), storage: [{ type: "tmpfs", target: "/t" }] });
      await t.runtime.startContainer(id);
      await t.runtime.waitContainer(id);
      assert.equal(await t.text(id), "no\nno\n");
    },
  },
  {
    name: "of two mounts at one target the later wins",
    needs: ["kernel"],
    run: async (t) => {
      const [first, second] = [t.hostDir(), t.hostDir()];
      writeFileSync(join(first, "which"), "first\n");
      writeFileSync(join(second, "which"), "second\n");
      const storage = [first, second].map((source) => ({ type: "bind" as const, source, target: "/b" }));
      assert.equal(await t.shell("cat /b/which; grep -c ' /b ' /proc/mounts", { storage }), "second\n1");
    },
  },
  {
    name: "mounts below one another appear whatever their order",
    needs: ["kernel"],
    run: async (t) => {
      const source = t.hostDir();
      mkdirSync(join(source, "inner"));
      writeFileSync(join(source, "outer.txt"), "outer\n");
      const storage = [
        { type: "tmpfs" as const, target: "/b/inner" },
        { type: "bind" as const, source, target: "/b" },
      ];
      assert.equal(await t.shell("cat /b/outer.txt; touch /b/inner/x; grep -c ' /b/inner ' /proc/mounts", { storage }), "outer\n1");
      assert.throws(() => statSync(join(source, "inner/x")), { code: "ENOENT" });
    },
  },
  {
    name: "a read-only root refuses writes, volumes and tmpfs take them",
    needs: [],
    run: async (t) => {
      const storage = [
        { type: "tmpfs" as const, target: "/t" },
        { type: "named" as const, name: t.newId().service, target: "/v" },
      ];
      const spec = { readOnlyRootFs: true, storage };
      assert.equal((await t.finish({ ...spec, argv: programs.append("/file", "x") })).code, 1);
      assert.equal((await t.finish({ ...spec, argv: programs.append("/t/file", "x") })).code, 0);
      assert.equal((await t.finish({ ...spec, argv: programs.append("/v/file", "x") })).code, 0);
    },
  },
  {
    name: "a path with symbolic links inside the image does not lead a mount out of it",
    needs: ["kernel"],
    run: async (t) => {
      const source = t.hostDir();
      writeFileSync(join(source, "file"), "inside\n");
      const { id, stdout } = await t.finish({ argv: programs.shell("cat /trap/etc/file"), storage: [{ type: "bind", source, target: "/trap/etc" }] });
      assert.equal(stdout, "inside\n");
      await t.runtime.removeContainer(id);
      assert.equal(readFileSync(join(source, "file"), "utf8"), "inside\n");
    },
  },
];
