import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ContainerModel } from "./support/state-machine.ts";

describe("the model of a container", () => {
  test("takes answers in order", () => {
    const model = new ContainerModel();
    for (const [operation, answer] of [
      ["start", "not_found"],
      ["create", "ok"],
      ["create", "conflict"],
      ["start", "ok"],
      ["rename a", "ok"],
      ["rename a", "invalid_spec"],
      ["update 100", "ok"],
      ["commit", "ok"],
      ["inspect", "a 100"],
      ["pause", "ok"],
      ["start", "conflict"],
      ["stop", "ok"],
      ["state", "exited"],
      ["remove", "ok"],
      ["remove", "not_found"],
      ["create", "ok"],
      ["inspect", "o 0"],
    ] as const)
      model.end(model.begin(operation), answer);
  });

  test("refuses what no order explains", () => {
    const model = new ContainerModel();
    model.end(model.begin("create"), "ok");
    assert.throws(() => model.end(model.begin("state"), "running"), /no order/);
  });

  test("lets a call be refused while its container is removed, without effect", () => {
    const model = new ContainerModel();
    model.end(model.begin("create"), "ok");
    const [first, second] = [model.begin("remove"), model.begin("remove")];
    model.end(second, "conflict");
    model.end(model.begin("state"), "pending");
    model.end(first, "ok");
    model.end(model.begin("state"), "not_found");
  });

  test("lets calls that overlap happen in any order, but only in one", () => {
    const model = new ContainerModel();
    const create = model.begin("create");
    const start = model.begin("start");
    model.end(start, "ok");
    model.end(create, "ok");
    model.end(model.begin("state"), "running");
    const [one, two] = [model.begin("remove"), model.begin("create")];
    model.end(two, "conflict");
    model.end(one, "ok");
    assert.throws(() => model.end(model.begin("start"), "ok"), /no order/);
  });
});
