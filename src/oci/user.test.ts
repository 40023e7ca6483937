import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { resolveUser } from "./user.ts";

describe("a hostile root file system", () => {
  const base = mkdtempSync(join(tmpdir(), "berth-user-"));
  after(() => rmSync(base, { recursive: true }));
  const rootfs = (name: string): string => {
    const path = join(base, name);
    mkdirSync(join(path, "etc"), { recursive: true });
    return path;
  };
  const refused = (path: string): void =>
    assert.throws(
      () => resolveUser(path, "victim"),
      (error) => isBerthError(error, "invalid_spec"),
    );

  test("files of the container are read", () => {
    const root = rootfs("plain");
    writeFileSync(join(root, "etc/passwd"), "web:x:1000:1001:Web:/home/web:/bin/sh\n");
    writeFileSync(join(root, "etc/group"), "disk:x:6:root,web\n");
    const { uid, additionalGids } = resolveUser(root, "web");
    assert.deepEqual([uid, additionalGids], [1000, [1001, 6]]);
  });
  test("without files numbers still work and names do not", () => {
    const root = rootfs("empty");
    assert.deepEqual(resolveUser(root, "5:6").gid, 6);
    refused(root);
  });
  test("links lead nowhere but inside", () => {
    writeFileSync(join(base, "outside"), "victim:x:0:0::/:");
    const root = rootfs("links");
    symlinkSync(join(base, "outside"), join(root, "etc/passwd"));
    refused(root);
    const dots = rootfs("dots");
    symlinkSync("../../../../../../../../../../etc/passwd", join(dots, "etc/passwd"));
    assert.throws(
      () => resolveUser(dots, "root"),
      (error) => isBerthError(error, "invalid_spec"),
    );
    const inside = rootfs("inside");
    writeFileSync(join(inside, "real"), "victim:x:77:77::/:");
    symlinkSync("/real", join(inside, "etc/passwd"));
    assert.equal(resolveUser(inside, "victim").uid, 77);
    const loop = rootfs("loop");
    symlinkSync("passwd", join(loop, "etc/passwd"));
    refused(loop);
  });
  test("a FIFO does not block and a device is not opened", () => {
    const fifo = rootfs("fifo");
    execFileSync("mkfifo", [join(fifo, "etc/passwd")]);
    refused(fifo);
    const device = rootfs("device");
    execFileSync("mknod", [join(device, "etc/passwd"), "c", "1", "5"]);
    refused(device);
    const directory = rootfs("directory");
    mkdirSync(join(directory, "etc/passwd"));
    refused(directory);
  });
  test("more than 4 MiB is refused", () => {
    const root = rootfs("big");
    const fd = openSync(join(root, "etc/passwd"), "w");
    ftruncateSync(fd, 4 * 1024 * 1024 + 1);
    closeSync(fd);
    refused(root);
  });
});
