/** `docs/errors.md` and the source name the same codes. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { errorCodes } from "../src/errors.ts";

const page = readFileSync(join(import.meta.dirname, "..", "docs", "errors.md"), "utf8");

/** The codes that stand in the first column of the page's table. */
const documented = [...page.matchAll(/^\| `(?<code>[a-z_]+)` \|/gm)].map((row) => row.groups?.["code"] ?? "");

test("docs/errors.md lists every error code once, and no other", () => {
  assert.deepEqual(documented.toSorted(), [...errorCodes].toSorted());
});
