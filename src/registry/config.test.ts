import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { endpointsOf, type RegistryConfig, registryConfigFromEnvironment, schemePolicy } from "./config.ts";

function origins(registry: string, config: RegistryConfig = {}): readonly (readonly string[])[] {
  return endpointsOf(registry, "x", config, schemePolicy(config)).map((endpoint) => endpoint.origins);
}

describe("schemes", () => {
  for (const host of ["ghcr.io", "ghcr.io:80", "10.0.0.1:5000", "[fd00::1]", "localhost.evil.test", "127.0.0.1.evil.test", "1270.0.0.1"]) {
    test(`${host} is spoken to over https alone`, () => assert.deepEqual(origins(host), [[`https://${host}`]]));
  }
  for (const host of ["localhost:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]:5000"]) {
    test(`${host} may be plain http`, () => assert.deepEqual(origins(host), [[`http://${host}`, `https://${host}`]]));
  }
  test("listed hosts try https first", () => {
    const insecure = ["reg.test", "other.test:5000", "10.1.0.0/16", "fd00::/8"];
    for (const host of ["reg.test", "reg.test:5000", "REG.test", "other.test:5000", "10.1.2.3:5000", "[fd00::1]:5000"]) {
      assert.deepEqual(origins(host, { insecure }), [[`https://${host}`, `http://${host}`]], host);
    }
    for (const host of ["other.test", "other.test:5001", "10.2.0.1", "sub.reg.test"]) {
      assert.deepEqual(origins(host, { insecure }), [[`https://${host}`]], host);
    }
  });
  test("Docker Hub lives at registry-1", () => assert.deepEqual(origins("docker.io"), [["https://registry-1.docker.io"]]));
});

describe("the environment", () => {
  test("may be silent", () => assert.deepEqual(registryConfigFromEnvironment({}), { insecure: [], mirrors: {} }));

  test("lists insecure hosts and mirrors, in order", () => {
    const config = registryConfigFromEnvironment({
      BERTH_INSECURE_REGISTRIES: " reg.test:5000, 10.0.0.0/8,",
      BERTH_REGISTRY_MIRRORS: "docker.io=https://a.test,index.docker.io=http://10.1.1.1/hub,ghcr.io=https://c.test/x=y",
    });
    assert.deepEqual(config.insecure, ["reg.test:5000", "10.0.0.0/8"]);
    assert.deepEqual(config.mirrors, { "docker.io": ["https://a.test", "http://10.1.1.1/hub"], "ghcr.io": ["https://c.test/x=y"] });
    const endpoints = endpointsOf("docker.io", "library/nginx", config, schemePolicy(config));
    assert.deepEqual(
      endpoints.map(({ host, repository, isMirror }) => [host, repository, isMirror]),
      [
        ["a.test", "library/nginx", true],
        ["10.1.1.1", "hub/library/nginx", true],
        ["registry-1.docker.io", "library/nginx", false],
      ],
    );
  });

  test("takes no name of Object.prototype for a mirrored host", () => {
    const config = registryConfigFromEnvironment({ BERTH_REGISTRY_MIRRORS: "constructor=https://a.test" });
    assert.deepEqual(config.mirrors?.["constructor"], ["https://a.test"]);
    assert.deepEqual(origins("toString", {}), [["https://toString"]]);
  });

  for (const [name, env, message] of [
    ["a mirror without host", { BERTH_REGISTRY_MIRRORS: "https://a.test" }, /is not host=url/],
    ["a mirror that is no URL", { BERTH_REGISTRY_MIRRORS: "docker.io=a.test" }, /not an http\(s\) URL/],
    ["a mirror with an account", { BERTH_REGISTRY_MIRRORS: "docker.io=https://u:s3cret@a.test" }, /config\.json/],
    ["a plain mirror elsewhere", { BERTH_REGISTRY_MIRRORS: "docker.io=http://a.test" }, /BERTH_INSECURE_REGISTRIES/],
    ["an insecure URL", { BERTH_INSECURE_REGISTRIES: "http://a.test" }, /neither host/],
    ["an impossible range", { BERTH_INSECURE_REGISTRIES: "10.0.0.0/33" }, /neither host/],
  ] as const) {
    test(`is refused for ${name}`, () => {
      assert.throws(
        () => registryConfigFromEnvironment(env),
        (error) => {
          assert.ok(error instanceof Error);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /s3cret/);
          return true;
        },
      );
    });
  }
});
