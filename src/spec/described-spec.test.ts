import assert from "node:assert/strict";
import { test } from "node:test";
import { completeSpec } from "./complete-spec.ts";
import { describedSpec } from "./described-spec.ts";

test("a described spec reads back as the same, but for what came from a secret place", () => {
  const { spec } = completeSpec({
    image: "x",
    env: { OPEN: "yes", FROM_ENGINE: "$E:PATH", SECRET: "$S:name" },
    stopGracePeriod: "3s",
    lifecycle: { deleteOnExit: true },
  });
  const described = describedSpec(spec);
  assert.deepEqual(described.env, { OPEN: "yes" });
  assert.deepEqual(JSON.parse(JSON.stringify(completeSpec(described).spec)), JSON.parse(JSON.stringify({ ...spec, env: { OPEN: "yes" } })));
});
