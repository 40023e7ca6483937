import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBerthError } from "../errors.ts";
import { canonicalReference, familiarName, isHost, parseReference, type Reference, repositoryName } from "./reference.ts";

const hex64 = "a".repeat(64);
const sha256 = `sha256:${hex64}`;
const sha512 = `sha512:${"b".repeat(128)}`;

/** Docker's normal forms (contract 0.4; the table of github.com/distribution/reference). */
const normalForms: readonly (readonly [input: string, canonical: string])[] = [
  ["nginx", "docker.io/library/nginx:latest"],
  ["nginx:1.29-alpine", "docker.io/library/nginx:1.29-alpine"],
  ["library/nginx", "docker.io/library/nginx:latest"],
  ["docker.io/nginx", "docker.io/library/nginx:latest"],
  ["index.docker.io/nginx", "docker.io/library/nginx:latest"],
  ["registry-1.docker.io/library/nginx:1", "docker.io/library/nginx:1"],
  ["https://index.docker.io/v1/nginx", "docker.io/library/nginx:latest"],
  ["org/api", "docker.io/org/api:latest"],
  ["docker.io/org/api", "docker.io/org/api:latest"],
  ["docker.io/library/a/b", "docker.io/library/a/b:latest"],
  ["ghcr.io/org/api:v1", "ghcr.io/org/api:v1"],
  [`ghcr.io/org/api@${sha256}`, `ghcr.io/org/api@${sha256}`],
  [`ghcr.io/org/api:v1@${sha256}`, `ghcr.io/org/api@${sha256}`],
  [`nginx@${sha512}`, `docker.io/library/nginx@${sha512}`],
  ["localhost/foo", "localhost/foo:latest"],
  ["localhost:5000/foo", "localhost:5000/foo:latest"],
  ["localhost", "docker.io/library/localhost:latest"],
  ["localhost:5000", "docker.io/library/localhost:5000"],
  ["127.0.0.1:5000/foo/bar:t", "127.0.0.1:5000/foo/bar:t"],
  ["[::1]:5000/foo", "[::1]:5000/foo:latest"],
  [`[2001:db8::1]/foo@${sha256}`, `[2001:db8::1]/foo@${sha256}`],
  ["a.b/c", "a.b/c:latest"],
  ["Registry/foo", "Registry/foo:latest"],
  ["xn--n3h.com/foo", "xn--n3h.com/foo:latest"],
  ["foo__bar/a-b--c/d.e_f", "docker.io/foo__bar/a-b--c/d.e_f:latest"],
  ["test_com/foo", "docker.io/test_com/foo:latest"],
  ["foo:_under.score-", "docker.io/library/foo:_under.score-"],
  [`foo:${"t".repeat(128)}`, `docker.io/library/foo:${"t".repeat(128)}`],
  [`${hex64}:tag`, `docker.io/library/${hex64}:tag`],
  [`org/${hex64}`, `docker.io/org/${hex64}:latest`],
  ["a".repeat(63), `docker.io/library/${"a".repeat(63)}:latest`],
];

const malformed: readonly string[] = [
  "",
  " ",
  "/",
  "a/",
  "/a",
  "a//b",
  "a:",
  ":a",
  "@",
  `@${sha256}`,
  "a@",
  "a@sha256:abc",
  `a@${sha256}0`,
  `a@md5:${"a".repeat(32)}`,
  `a@SHA256:${hex64}`,
  `a@sha256:${"A".repeat(64)}`,
  `a@${sha256}:tag`,
  "Uppercase",
  "org/Uppercase",
  "a b",
  "a\n",
  "nginx\n",
  "a/b:c d",
  "-a",
  "a-",
  ".a",
  "a.",
  "a..b",
  "a___b",
  "a._b",
  "_a",
  "a:-b",
  "a:.b",
  `a:${"t".repeat(129)}`,
  hex64,
  "a.b:99999/c",
  "a.b:port/c",
  "-host.com/a",
  "host-.com/a",
  "a..b/c",
  "[::1/a",
  "::1/a",
  "[gg::]/a",
  "[::::]/a",
  "http://a.b/c",
  "https://a.b/c",
  "a/b@c",
  "../a",
  "a/../b",
  "a/./b",
  "ä/b",
  "a.b/%2e%2e/c",
  `a/${"b".repeat(256)}`,
  "a".repeat(100_000),
  "a:b:c",
];

describe("parseReference", () => {
  for (const [input, canonical] of normalForms) {
    test(`${input.slice(0, 80)} is ${canonical.slice(0, 80)}`, () => assert.equal(canonicalReference(parseReference(input)), canonical));
  }

  for (const input of malformed) {
    test(`${JSON.stringify(input.slice(0, 80))} is malformed`, () => {
      assert.throws(
        () => parseReference(input),
        (error) => isBerthError(error, "invalid_spec") && error.message.length < 2000,
      );
    });
  }

  test("keeps the tag beside a digest", () => {
    assert.deepEqual(parseReference(`nginx:1@${sha256}`), { registry: "docker.io", path: "library/nginx", tag: "1", digest: sha256 });
  });

  test("a registry may be far longer than a name is", () => {
    const long = `${"a".repeat(60)}.${"b".repeat(60)}.test/x`;
    assert.equal(repositoryName(parseReference(long)), long);
  });
});

const character = fc.constantFrom(..."abcz0189");
const word = fc.string({ unit: character, minLength: 1, maxLength: 6 });
const component = fc
  .array(word, { minLength: 1, maxLength: 3 })
  .chain((words) => fc.constantFrom(".", "_", "__", "-", "---").map((separator) => words.join(separator)));
const registry = fc.oneof(
  fc.constantFrom("docker.io", "ghcr.io", "localhost", "localhost:5000", "127.0.0.1:1", "[::1]", "[fd00::2]:65535", "a-b.c:80"),
  fc.tuple(word, word).map(([a, b]) => `${a}.${b}`),
);
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
const digest = fc.constantFrom(sha256, sha512);
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const suffix = fc.oneof(
  fc.constant(""),
  tag.map((text) => `:${text}`),
  digest.map((text) => `@${text}`),
  fc.tuple(tag, digest).map(([t, d]) => `:${t}@${d}`),
);

describe("any reference", () => {
  const full = fc.tuple(registry, path, suffix).map(([host, name, end]) => `${host}/${name}${end}`);

  test("has a canonical form that reads back as itself", () => {
    fc.assert(
      fc.property(full, (text) => {
        const canonical = canonicalReference(parseReference(text));
        assert.equal(canonicalReference(parseReference(canonical)), canonical);
        assert.equal(repositoryName(parseReference(text)), repositoryName(parseReference(canonical)));
      }),
    );
  });

  test("has a familiar form that means the same", () => {
    const hub = fc
      .tuple(fc.constantFrom("docker.io/", "docker.io/library/", "docker.io/localhost/", "docker.io/a.b/"), path, suffix)
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.oneof(full, hub), (text) => {
        const canonical = canonicalReference(parseReference(text));
        const familiar = familiarName(canonical);
        assert.ok(familiar.length <= canonical.length);
        assert.equal(canonicalReference(parseReference(familiar)), canonical);
      }),
    );
  });

  test("has a tag unless it has a digest", () => {
    fc.assert(
      fc.property(full, (text) => {
        const reference: Reference = parseReference(text);
        assert.ok(reference.tag !== undefined || reference.digest !== undefined);
      }),
    );
  });
});

test("arbitrary text is a reference or invalid_spec, and a reference makes a safe URL", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."aA0./:@_-[]% \n") }));
  fc.assert(
    fc.property(text, (input) => {
      try {
        const { registry: host, path: repository } = parseReference(input);
        const url = new URL(`https://${host}/v2/${repository}/tags`);
        assert.equal(url.pathname, `/v2/${repository}/tags`);
        assert.equal(url.username + url.password + url.search + url.hash, "");
      } catch (error) {
        assert.ok(isBerthError(error, "invalid_spec"), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test("familiar names", () => {
  assert.equal(familiarName("docker.io/library/nginx:latest"), "nginx:latest");
  assert.equal(familiarName("docker.io/org/api:1"), "org/api:1");
  assert.equal(familiarName(`ghcr.io/org/api@${sha256}`), `ghcr.io/org/api@${sha256}`);
  assert.equal(familiarName("docker.io/library/a/b:1"), "library/a/b:1");
  assert.equal(familiarName("docker.io/localhost/a:1"), "docker.io/localhost/a:1");
});

test("hosts", () => {
  for (const host of ["a", "a.b:1", "127.0.0.1", "[::1]:5000", "localhost:65535"]) assert.ok(isHost(host), host);
  for (const host of ["", "a b", "a/b", "http://a", "::1", "a:65536", "a:", "a.", "u@a"]) assert.ok(!isHost(host), host);
});
