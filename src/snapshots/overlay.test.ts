import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { MNT_DETACH, unmount } from "../internal/libc.ts";
import { performMount } from "../internal/mount.ts";
import { maxLayers, overlayMount } from "./overlay.ts";

const root = mkdtempSync(join(tmpdir(), "berth-overlay-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Layer i holds the file `i`; all of them hold `who`, which must come from the first. */
function mounted(name: string, count: number, check: (target: string) => void): void {
  const base = join(root, name);
  const lower = Array.from({ length: count }, (_, i) => join(base, `layer-${String(i).padStart(60, "0")}`, "fs"));
  for (const [i, path] of lower.entries()) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, String(i)), "");
    writeFileSync(join(path, "who"), String(i));
  }
  const [upper, work, target] = ["upper", "work", "merged"].map((part) => join(base, part)) as [string, string, string];
  for (const path of [upper, work, target]) mkdirSync(path);
  performMount(overlayMount({ lower, upper, work, target }));
  try {
    check(target);
    writeFileSync(join(target, "new"), "x");
    assert.ok(existsSync(join(upper, "new")));
  } finally {
    unmount(target, MNT_DETACH);
  }
}

describe("overlay mounts", () => {
  for (const count of [1, 3, 100, 300, maxLayers]) {
    test(`${count} layers`, () => {
      mounted(`n${count}`, count, (target) => {
        assert.equal(readFileSync(join(target, "who"), "utf8"), "0");
        assert.equal(readdirSync(target).length, count + 1);
      });
    });
  }

  test("paths with commas, colons and backslashes, few layers and many", () => {
    for (const count of [2, 100]) {
      mounted(`a,b:c\\d ${count}`, count, (target) => assert.equal(readdirSync(target).length, count + 1));
    }
  });

  test("more layers than the kernel takes are refused, and so is none", () => {
    const options = { upper: "/u", work: "/w", target: "/t" };
    assert.throws(() => overlayMount({ ...options, lower: Array.from({ length: maxLayers + 1 }, () => "/l") }), {
      code: "invalid_spec",
      message: /501 layers/,
    });
    assert.throws(() => overlayMount({ ...options, lower: [] }), { code: "invalid_spec" });
  });
});
