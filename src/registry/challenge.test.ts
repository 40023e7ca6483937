import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenge } from "./challenge.ts";

test("challenges of real registries", () => {
  const hub = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull"';
  assert.deepEqual(parseChallenge(hub), { scheme: "bearer", realm: "https://auth.docker.io/token", service: "registry.docker.io" });
  assert.deepEqual(parseChallenge('Basic realm="Sonatype Nexus, the"'), { scheme: "basic" });
  assert.deepEqual(parseChallenge("BASIC"), { scheme: "basic" });
  assert.deepEqual(parseChallenge('Basic realm="x", bearer Realm = "https://a/t" , service=plain'), {
    scheme: "bearer",
    realm: "https://a/t",
    service: "plain",
  });
  assert.deepEqual(parseChallenge('Bearer realm="a \\"b\\" c"'), { scheme: "bearer", realm: 'a "b" c', service: undefined });
  for (const nothing of [undefined, "", "Bearer", 'Negotiate realm="x"', "=,=", '"']) assert.equal(parseChallenge(nothing), undefined);
});

test("no header breaks the challenge parser", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200, unit: fc.constantFrom(...'Bearer asic=,"\\ \t') }), (header) => void parseChallenge(header)));
});

test("any realm and service read back", () => {
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
  fc.assert(
    fc.property(fc.string(), fc.string(), (realm, service) => {
      const header = `Basic realm="a, b=c", Bearer realm=${quoted(realm)},service=${quoted(service)}`;
      assert.deepEqual(parseChallenge(header), { scheme: "bearer", realm, service });
    }),
  );
});
