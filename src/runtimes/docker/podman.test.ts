import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dockerAction } from "./podman.ts";

describe("Podman's words", () => {
  test("what Docker tells otherwise is told in Docker's words, what it does not tell is left out", () => {
    const words = ["create", "init", "start", "exec", "exec_died", "die", "cleanup", "remove"].map((word) => dockerAction("container", word));
    assert.deepEqual(words, ["create", undefined, "start", "exec_start", "exec_die", "die", undefined, "destroy"]);
    assert.equal(dockerAction("volume", "remove"), "destroy");
    assert.equal(dockerAction("network", "remove"), "remove");
    assert.equal(dockerAction("container", "toString"), "toString");
  });
});
