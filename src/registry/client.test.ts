/** Manifests and who we are: challenges, tokens, refusals, schemes, mirrors. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type HttpServer, serveHttp } from "../../test/support/http-server.ts";
import { BerthError, DigestMismatchError, isBerthError, RegistryError } from "../errors.ts";
import { type Descriptor, mediaTypes } from "../spec/descriptor.ts";
import { sha256 } from "../spec/digest.ts";
import { parseReference, type Reference } from "../spec/reference.ts";
import { createRegistryClient, type RegistryClientOptions } from "./client.ts";
import { isRegistryUnavailable } from "./failure.ts";
import type { Credentials, RegistryClient } from "./types.ts";

const empty = { mediaType: mediaTypes.ociConfig, digest: sha256("{}"), size: 2 };
const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: empty, layers: [] }));
const descriptor: Descriptor = { mediaType: mediaTypes.ociManifest, digest: sha256(manifest), size: manifest.length };
const ann: Credentials = { username: "ann", password: "hunter22" };
const basicAnn = `Basic ${Buffer.from("ann:hunter22").toString("base64")}`;

interface Trial extends AsyncDisposable {
  readonly client: RegistryClient;
  readonly server: HttpServer;
  readonly reference: Reference;
  readonly delays: number[];
}

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

async function trial(handler: Handler, options: RegistryClientOptions = {}): Promise<Trial> {
  const server = await serveHttp(handler);
  const delays: number[] = [];
  const clock = { random: () => 0, delay: async (ms: number) => void delays.push(ms) };
  const client = createRegistryClient({ credentials: async () => undefined, clock, ...options });
  const dispose = async (): Promise<void> => {
    client.close();
    await server.close();
  };
  return { client, server, reference: parseReference(`${server.host}/team/app:1`), delays, [Symbol.asyncDispose]: dispose };
}

function sendManifest(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array = manifest): void {
  response.writeHead(200, { "content-type": mediaTypes.ociManifest, "content-length": bytes.length, "docker-content-digest": sha256(bytes) });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

const healthy: Handler = (request, response) => sendManifest(request, response);

/** A registry and its token server in one. Tokens are `t1`, `t2`, …; which of them hold is the test's business. */
function tokenRegistry(o: { accepts: (token: string) => boolean; token?: (request: IncomingMessage, response: ServerResponse) => boolean }): Handler {
  let issued = 0;
  return (request, response) => {
    if (request.url?.startsWith("/token")) {
      if (o.token?.(request, response) === true) return;
      return void response.end(JSON.stringify({ token: `t${++issued}`, expires_in: 300 }));
    }
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1];
    if (token !== undefined && o.accepts(token)) return sendManifest(request, response);
    const challenge = `Bearer realm="http://${request.headers.host}/token",service="registry, the",scope="repository:everything:*"`;
    response.writeHead(401, { "www-authenticate": challenge }).end();
  };
}

function tokenRequests(server: HttpServer): URL[] {
  return server.requests.flatMap(({ url }) => (url.startsWith("/token") ? [new URL(url, "http://x")] : []));
}

describe("resolve", () => {
  test("asks by HEAD and answers the descriptor", async () => {
    await using t = await trial(healthy);
    assert.deepEqual(await t.client.resolve(t.reference), descriptor);
    assert.deepEqual(
      t.server.requests.map(({ method, url }) => [method, url]),
      [["HEAD", "/v2/team/app/manifests/1"]],
    );
    assert.match(t.server.requests[0]?.headers.accept ?? "", /image\.index\.v1\+json.*manifest\.list\.v2/);
  });

  test("asks by GET where HEAD is not allowed or says too little", async () => {
    for (const head of [(response: ServerResponse) => response.writeHead(405).end(), (response: ServerResponse) => response.writeHead(200).end()]) {
      await using t = await trial((request, response) => (request.method === "HEAD" ? void head(response) : sendManifest(request, response)));
      assert.deepEqual(await t.client.resolve(t.reference), descriptor);
    }
  });

  test("of something missing is pull_failed with status 404 and the reference", async () => {
    await using t = await trial((_, response) => void response.writeHead(404).end());
    await assert.rejects(t.client.resolve(t.reference), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.fields.status, 404);
      assert.equal(error.fields.image, `${t.server.host}/team/app:1`);
      assert.equal(error.message, `not found: ${t.server.host}/team/app:1`);
      assert.equal(isRegistryUnavailable(error), false);
      return true;
    });
  });

  test("of a registry that is not there fails without retries, and is told apart", async () => {
    await using t = await trial(() => {});
    await t.server.close();
    await assert.rejects(
      t.client.resolve(t.reference),
      (error) => isBerthError(error, "pull_failed") && isRegistryUnavailable(error) && /cannot reach registry/.test(error.message),
    );
    assert.deepEqual(t.delays, []);
  });

  test("of a registry out of order counts as unavailable", async () => {
    await using t = await trial((_, response) => void response.writeHead(503).end());
    await assert.rejects(t.client.resolve(t.reference), (error) => isRegistryUnavailable(error));
    assert.equal(t.delays.length, 5);
  });

  test("survives a server that closes kept connections", async () => {
    await using t = await trial((request, response) => {
      sendManifest(request, response);
      response.once("close", () => setImmediate(() => request.socket.destroy()));
    });
    for (let round = 0; round < 20; round++) assert.deepEqual(await t.client.resolve(t.reference), descriptor);
    assert.deepEqual(t.delays, []);
  });
});

describe("manifest", () => {
  test("by tag, and by descriptor", async () => {
    await using t = await trial(healthy);
    const byTag = await t.client.manifest(t.reference, undefined);
    assert.deepEqual([byTag.descriptor, Buffer.from(byTag.bytes)], [descriptor, manifest]);
    await t.client.manifest(t.reference, descriptor);
    assert.equal(t.server.requests[1]?.url, `/v2/team/app/manifests/${descriptor.digest}`);
  });

  test("with other bytes than the digest promised is refused", async () => {
    const other = Buffer.from(manifest.toString().replace("[]", "[ ]"));
    await using t = await trial((request, response) => sendManifest(request, response, other));
    const pinned = parseReference(`${t.server.host}/team/app@${descriptor.digest}`);
    await assert.rejects(t.client.manifest(pinned, undefined), DigestMismatchError);
    await assert.rejects(t.client.manifest(t.reference, { ...descriptor, size: other.length }), DigestMismatchError);
    await assert.rejects(t.client.manifest(t.reference, { ...descriptor, digest: sha256(other) }), /size of manifest/);
  });

  test("that contradicts the registry's own digest header is refused", async () => {
    await using t = await trial((_, response) => void response.writeHead(200, { "docker-content-digest": sha256("else") }).end(manifest));
    await assert.rejects(t.client.manifest(t.reference, undefined), DigestMismatchError);
  });

  test("of schema 1, malformed, or of endless length is pull_failed", async () => {
    const bodies = [
      JSON.stringify({ schemaVersion: 1 }),
      "{",
      JSON.stringify({ schemaVersion: 2, manifests: [], layers: [] }),
      "x".repeat(4 * 1024 * 1024 + 1),
    ];
    for (const body of bodies) {
      await using t = await trial((_, response) => void response.end(body));
      await assert.rejects(t.client.manifest(t.reference, undefined), (error) => isBerthError(error, "pull_failed") && error.fields.image !== undefined);
    }
  });

  test("cut off in the middle is asked for again", async () => {
    await using t = await trial((request, response, count) => {
      if (count > 1) return sendManifest(request, response);
      response.writeHead(200, { "content-length": manifest.length }).write(manifest.subarray(0, 10), () => response.socket?.end());
    });
    assert.equal((await t.client.manifest(t.reference, undefined)).descriptor.digest, descriptor.digest);
    assert.equal(t.delays.length, 1);
  });

  test("of a mirror that is stale, broken or gone comes from the registry", async () => {
    const gone = await serveHttp(() => {});
    await gone.close();
    await using broken = await serveHttp((_, response) => void response.end("<html>"));
    await using t = await trial(() => {});
    await using server = await serveHttp(healthy);
    const mirrors = { [server.host]: [`http://${gone.host}`, `http://${broken.host}`] };
    using client = disposable(createRegistryClient({ mirrors, credentials: async () => undefined }));
    assert.equal((await client.manifest(parseReference(`${server.host}/team/app:1`), undefined)).descriptor.digest, descriptor.digest);
    assert.equal(broken.requests.length, 1);
    assert.equal(t.server.requests.length, 0);
  });
});

function disposable(client: RegistryClient): RegistryClient & Disposable {
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

describe("tokens", () => {
  test("are fetched with pull scope for the repository alone, once for many requests", async () => {
    await using t = await trial(tokenRegistry({ accepts: () => true }));
    await Promise.all([1, 2, 3, 4].map(() => t.client.resolve(t.reference)));
    await t.client.manifest(t.reference, undefined);
    const [asked, ...more] = tokenRequests(t.server);
    assert.deepEqual(
      [...(asked?.searchParams ?? [])],
      [
        ["service", "registry, the"],
        ["scope", "repository:team/app:pull"],
      ],
    );
    assert.equal(more.length, 0);
  });

  test("are fetched with the account, which the registry itself never sees", async () => {
    await using t = await trial(tokenRegistry({ accepts: () => true }));
    await t.client.resolve(t.reference, { auth: ann });
    const byPath = t.server.requests.map(({ url, headers }) => [url.split("?")[0], headers.authorization]);
    const path = "/v2/team/app/manifests/1";
    assert.deepEqual(byPath, [
      [path, undefined],
      ["/token", basicAnn],
      [path, "Bearer t1"],
    ]);
    assert.equal(tokenRequests(t.server)[0]?.searchParams.get("account"), "ann");
  });

  test("that end in the middle of a pull are renewed", async () => {
    let valid = "t1";
    await using t = await trial(tokenRegistry({ accepts: (token) => token === valid }));
    await t.client.resolve(t.reference);
    valid = "t2";
    await Promise.all([t.client.resolve(t.reference), t.client.manifest(t.reference, undefined)]);
    assert.equal(tokenRequests(t.server).length, 2);
  });

  test("are renewed before they end", async () => {
    let now = 0;
    await using t = await trial(tokenRegistry({ accepts: () => true }), { clock: { now: () => now } });
    await t.client.resolve(t.reference);
    now = 299_000;
    await t.client.resolve(t.reference);
    const authorizations = t.server.requests.flatMap(({ url, headers }) => (url.startsWith("/token") ? [] : [headers.authorization]));
    assert.deepEqual(authorizations, [undefined, "Bearer t1", "Bearer t2"]);
  });

  test("that are never accepted end in status 401, not in a loop", async () => {
    await using t = await trial(tokenRegistry({ accepts: () => false }));
    await assert.rejects(t.client.resolve(t.reference), { code: "pull_failed", status: 401 });
    assert.ok(t.server.requests.length <= 6);
  });

  test("of one account are not used for another, nor for none", async () => {
    await using t = await trial(tokenRegistry({ accepts: () => true }));
    await t.client.resolve(t.reference, { auth: ann });
    await t.client.resolve(t.reference);
    await t.client.resolve(t.reference, { auth: { ...ann, password: "other" } });
    assert.equal(tokenRequests(t.server).length, 3);
  });

  test("are not fetched for an abort of one of two callers only", async () => {
    let answerToken = (): void => {};
    const asked = Promise.withResolvers<void>();
    const token = (_: IncomingMessage, response: ServerResponse): boolean => {
      answerToken = () => void response.end(JSON.stringify({ access_token: "late" }));
      asked.resolve();
      return true;
    };
    await using t = await trial(tokenRegistry({ accepts: () => true, token }));
    const abort = new AbortController();
    const first = t.client.resolve(t.reference, { signal: abort.signal });
    const second = t.client.resolve(t.reference);
    await asked.promise;
    abort.abort();
    await assert.rejects(first, { name: "AbortError" });
    answerToken();
    assert.deepEqual(await second, descriptor);
  });

  test("for an identity token are exchanged by OAuth2, else it is used as it is", async () => {
    const auth: Credentials = { username: "<token>", password: "identity-token", authType: "token" };
    const bodies: Promise<string>[] = [];
    const exchange = (request: IncomingMessage): boolean => {
      bodies.push(
        request
          .setEncoding("utf8")
          .toArray()
          .then((parts) => parts.join("")),
      );
      return false;
    };
    await using t = await trial(tokenRegistry({ accepts: (token) => token === "t1", token: exchange }));
    await t.client.resolve(t.reference, { auth });
    const form = new URLSearchParams(await bodies[0]);
    assert.deepEqual([form.get("grant_type"), form.get("refresh_token"), form.get("scope")], ["refresh_token", "identity-token", "repository:team/app:pull"]);

    const refuse = (_: IncomingMessage, response: ServerResponse): boolean => response.writeHead(405).end() !== undefined;
    await using direct = await trial(tokenRegistry({ accepts: (token) => token === "identity-token", token: refuse }));
    assert.deepEqual(await direct.client.resolve(direct.reference, { auth }), descriptor);
  });

  test("are not asked for over plain http elsewhere", async () => {
    await using t = await trial((_, response) => void response.writeHead(401, { "www-authenticate": 'Bearer realm="http://example.test/token"' }).end());
    await assert.rejects(t.client.resolve(t.reference, { auth: ann }), /plain http/);
  });

  test("that a broken token server does not send are pull_failed", async () => {
    for (const body of ["", "[]", '{"token":"a\\nb"}', '{"token":1}', "x".repeat(2_000_000)]) {
      await using t = await trial(tokenRegistry({ accepts: () => true, token: (_, response) => response.end(body) !== undefined }));
      await assert.rejects(t.client.resolve(t.reference), { code: "pull_failed" });
    }
  });

  test("wait for a token server that is busy", async () => {
    let busy = 2;
    const token = (_: IncomingMessage, response: ServerResponse): boolean => busy-- > 0 && response.writeHead(503).end() !== undefined;
    await using t = await trial(tokenRegistry({ accepts: () => true, token }));
    assert.deepEqual(await t.client.resolve(t.reference), descriptor);
    assert.equal(t.delays.length, 2);
  });
});

describe("credentials", () => {
  const basic: Handler = (request, response) => {
    if (request.headers.authorization === basicAnn) return sendManifest(request, response);
    const body = JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: `no: ${request.headers.authorization}` }] });
    response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end(body);
  };

  test("go out by basic authentication, at once after the first time", async () => {
    await using t = await trial(basic);
    await t.client.resolve(t.reference, { auth: ann });
    await t.client.resolve(t.reference, { auth: ann });
    assert.deepEqual(
      t.server.requests.map(({ headers }) => headers.authorization),
      [undefined, basicAnn, basicAnn],
    );
  });

  test("come from the source by host when the call brings none or empty ones", async () => {
    const asked: string[] = [];
    await using t = await trial(basic, {
      credentials: async (registry) => {
        asked.push(registry);
        return ann;
      },
    });
    await t.client.resolve(t.reference);
    await t.client.resolve(t.reference, { auth: { username: "", password: "" } });
    assert.deepEqual(asked, [t.server.host]);
  });

  test("that are refused are a failure with status 401: nobody else is tried, nothing is shown", async () => {
    await using t = await trial(basic, { credentials: async () => ann });
    const wrong = { username: "bob", password: "wrong-password" };
    await assert.rejects(t.client.manifest(t.reference, undefined, { auth: wrong }), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.status, 401);
      assert.match(error.message, /check user name, password/);
      const shown = [error.message, JSON.stringify(error.fields), error.stack, String(error.cause)].join();
      assert.doesNotMatch(shown, /wrong-password/);
      assert.ok(!shown.includes(Buffer.from("bob:wrong-password").toString("base64")));
      return true;
    });
    assert.equal(t.server.requests.length, 2);
  });

  test("that a token server refuses are a failure with its words", async () => {
    const token = (_: IncomingMessage, response: ServerResponse): boolean =>
      response.writeHead(401).end(JSON.stringify({ details: "incorrect username or password hunter22" })) !== undefined;
    await using t = await trial(tokenRegistry({ accepts: () => true, token }));
    await assert.rejects(t.client.resolve(t.reference, { auth: ann }), (error) => {
      assert.ok(isBerthError(error, "pull_failed"));
      assert.equal(error.fields.status, 401);
      assert.match(error.message, /incorrect username or password/);
      assert.doesNotMatch(error.message, /hunter22/);
      return true;
    });
    assert.equal(tokenRequests(t.server).length, 1);
  });

  test("that were mended are used by the next call", async () => {
    let password = "old-password";
    await using t = await trial(basic, { credentials: async () => ({ username: "ann", password }) });
    await assert.rejects(t.client.resolve(t.reference), { status: 401 });
    password = "hunter22";
    assert.deepEqual(await t.client.resolve(t.reference), descriptor);
  });

  test("that cannot be looked up fail the call, and are looked up again by the next", async () => {
    let broken = true;
    const credentials = async (): Promise<Credentials> => {
      if (broken) throw new BerthError("configuration", "no helper");
      return ann;
    };
    await using t = await trial(basic, { credentials });
    await assert.rejects(t.client.resolve(t.reference), { code: "configuration" });
    broken = false;
    assert.deepEqual(await t.client.resolve(t.reference), descriptor);
  });

  test("are missing: the message says so", async () => {
    await using t = await trial(basic);
    await assert.rejects(t.client.resolve(t.reference), /does not exist or needs credentials/);
  });
});

describe("schemes", () => {
  test("a loopback registry with TLS is found", async () => {
    await using server = await serveHttp(healthy, certificate());
    using client = disposable(createRegistryClient({ credentials: async () => undefined }));
    assert.deepEqual(await client.resolve(parseReference(`${server.host}/app:1`)), descriptor);
  });

  test("a mirror with an untrusted certificate on loopback is taken, plain http elsewhere is not", async () => {
    assert.throws(() => createRegistryClient({ mirrors: { "docker.io": ["http://mirror.example.test"] } }), { code: "configuration" });
    createRegistryClient({ mirrors: { "docker.io": ["http://mirror.example.test"] }, insecure: ["mirror.example.test"] }).close();
  });
});

function certificate(): { key: string; cert: string } {
  const dir = mkdtempSync(join(tmpdir(), "berth-tls-"));
  try {
    const [key, cert] = [join(dir, "key"), join(dir, "cert")];
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    execFileSync("openssl", [...args, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
