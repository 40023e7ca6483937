import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseApiPath } from "./api-version.ts";
import { get, post } from "./route.ts";
import { Router } from "./router.ts";
import { HttpError } from "./status.ts";

const nothing = (): void => {};
const router = new Router([
  get("/containers/json", nothing),
  get("/containers/:id/json", nothing),
  get("/images/json", nothing),
  get("/images/:name*/json", nothing),
  post("/images/:name*/tag", nothing),
]);

describe("routes", () => {
  test("fixed paths win over patterns", () => {
    assert.equal(router.find("GET", "/containers/json")?.route.path, "/containers/json");
    assert.equal(router.find("GET", "/containers/json/json")?.params["id"], "json");
  });

  test("names of images have slashes, escaped or not", () => {
    assert.equal(router.find("GET", "/images/registry:5000/a/b/json")?.params["name"], "registry:5000/a/b");
    assert.equal(router.find("GET", "/images/registry%3A5000%2Fa/json")?.params["name"], "registry:5000/a");
    assert.equal(router.find("POST", "/images/a@sha256:0/tag")?.params["name"], "a@sha256:0");
  });

  test("another method, a longer path or a broken escape is no match", () => {
    assert.equal(router.find("POST", "/containers/json"), undefined);
    assert.equal(router.find("GET", "/containers/a/b/json"), undefined);
    assert.throws(() => router.find("GET", "/containers/%zz/json"), new HttpError(400, 'invalid escape in the path: "%zz"'));
  });
});

describe("versions", () => {
  test("are taken off the path", () => {
    assert.deepEqual(parseApiPath("/v1.24/info"), { minor: 24, rest: "/info" });
    assert.deepEqual(parseApiPath("/info"), { minor: 47, rest: "/info" });
    assert.deepEqual(parseApiPath("/volumes/v1"), { minor: 47, rest: "/volumes/v1" });
  });

  test("too old and too new ones are named", () => {
    for (const path of ["/v1.23/info", "/v0.9/info"]) assert.throws(() => parseApiPath(path), /is too old. Minimum supported API version is 1.24/);
    for (const path of ["/v1.48/info", "/v2.0/info"]) assert.throws(() => parseApiPath(path), /is too new. Maximum supported API version is 1.47/);
  });
});
