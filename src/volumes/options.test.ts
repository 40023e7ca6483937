import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { volumeSource } from "./options.ts";

describe("volume options", () => {
  test("none means a directory of the engine", () => assert.deepEqual(volumeSource({}), { kind: "directory" }));

  test("type none with o=bind is a directory of the host", () => {
    assert.deepEqual(volumeSource({ type: "none", o: "bind,ro", device: "/srv" }), { kind: "bind", device: "/srv", readonly: true });
    assert.deepEqual(volumeSource({ o: "bind", device: "/srv" }), { kind: "bind", device: "/srv", readonly: false });
  });

  test("tmpfs takes size, mode and owner", () => {
    assert.deepEqual(volumeSource({ type: "tmpfs", device: "tmpfs", o: "size=10m,uid=7" }), { kind: "memory", options: ["size=10m", "uid=7"] });
    assert.deepEqual(volumeSource({ type: "tmpfs", device: "tmpfs" }), { kind: "memory", options: [] });
  });

  test("nfs needs the address of its server", () => {
    const nfs = { type: "nfs", device: ":/export", o: "addr=192.0.2.7,rw" };
    assert.deepEqual(volumeSource(nfs), { kind: "nfs", type: "nfs", device: ":/export", options: ["addr=192.0.2.7", "rw"] });
    assert.throws(() => volumeSource({ ...nfs, o: "rw" }), { code: "invalid_spec", message: /addr/ });
    assert.throws(() => volumeSource({ ...nfs, device: "export" }), { code: "invalid_spec", message: /:\/path/ });
  });

  for (const [options, code] of [
    [{ size: "1g" }, "invalid_spec"],
    [{ type: "none", device: "/srv" }, "invalid_spec"],
    [{ type: "none", o: "bind", device: "srv" }, "invalid_spec"],
    [{ type: "none", o: "bind,loud", device: "/srv" }, "unsupported"],
    [{ type: "tmpfs", o: "size=1m,huge=always" }, "unsupported"],
    [{ type: "ext4", device: "/dev/sda1" }, "unsupported"],
    [{ type: "overlay", o: "lowerdir=/etc" }, "unsupported"],
  ] as const) {
    test(`${JSON.stringify(options)} is ${code}`, () => assert.throws(() => volumeSource(options), { code }));
  }
});
