/** A blob's way through trouble: what the server does wrong, and what arrives in spite of it. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { type HttpServer, serveHttp } from "../../test/support/http-server.ts";
import { DigestMismatchError, isBerthError, RegistryError } from "../errors.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { sha256 } from "../spec/digest.ts";
import { parseReference, type Reference } from "../spec/reference.ts";
import { createRegistryClient, type RegistryClientOptions } from "./client.ts";
import type { RegistryClient } from "./types.ts";

const content = randomBytes(300_000);
const descriptor: Descriptor = { mediaType: "application/octet-stream", digest: sha256(content), size: content.length };

interface Trial extends AsyncDisposable {
  readonly client: RegistryClient;
  readonly server: HttpServer;
  readonly reference: Reference;
  /** Milliseconds the client chose to wait, in order. */
  readonly delays: number[];
}

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

async function trial(handler: Handler, options: RegistryClientOptions = {}): Promise<Trial> {
  const server = await serveHttp(handler);
  const delays: number[] = [];
  const clock = { now: () => Date.UTC(2026, 0, 1), random: () => 0, delay: async (ms: number) => void delays.push(ms) };
  const client = createRegistryClient({ credentials: async () => undefined, clock, ...options });
  const dispose = async (): Promise<void> => {
    client.close();
    await server.close();
  };
  return { client, server, reference: parseReference(`${server.host}/app:1`), delays, [Symbol.asyncDispose]: dispose };
}

/** A well-behaved answer, from `Range` on when the request has one. */
function sendBlob(request: IncomingMessage, response: ServerResponse, bytes: Uint8Array = content): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const headers = { "content-length": bytes.length - start };
  if (start > 0) response.writeHead(206, { ...headers, "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` });
  else response.writeHead(200, headers);
  response.end(bytes.subarray(start));
}

/** The first `length` bytes of an honest answer, then the connection is cut. */
function cutAfter(length: number, response: ServerResponse, start = 0): void {
  const status = start === 0 ? 200 : 206;
  response.writeHead(status, { "content-length": content.length - start, "content-range": `bytes ${start}-${content.length - 1}/${content.length}` });
  response.write(content.subarray(start, start + length), () => response.socket?.end());
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

function download({ client, reference }: Trial, o: { offset?: number; signal?: AbortSignal } = {}): Promise<Buffer> {
  return collect(client.blob(reference, descriptor, o));
}

describe("a blob arrives whole", () => {
  test("from a well-behaved server, in one request without Range", async () => {
    await using t = await trial((request, response) => sendBlob(request, response));
    assert.deepEqual(await download(t), content);
    assert.deepEqual(
      t.server.requests.map(({ url, headers }) => [url, headers.range]),
      [[`/v2/app/blobs/${descriptor.digest}`, undefined]],
    );
  });

  test("from an offset on", async () => {
    await using t = await trial((request, response) => sendBlob(request, response));
    assert.deepEqual(await download(t, { offset: 1000 }), content.subarray(1000));
    assert.equal(t.server.requests[0]?.headers.range, "bytes=1000-");
  });

  test("without asking anybody when nothing is left to get", async () => {
    await using t = await trial((request, response) => sendBlob(request, response));
    assert.equal((await download(t, { offset: content.length })).length, 0);
    assert.equal(t.server.requests.length, 0);
  });

  test("after the connection was cut, resumed where it broke", async () => {
    await using t = await trial((request, response, count) => (count === 1 ? cutAfter(100_000, response) : sendBlob(request, response)));
    assert.deepEqual(await download(t), content);
    const resumed = Number(/^bytes=(\d+)-$/.exec(t.server.requests[1]?.headers.range ?? "")?.[1]);
    assert.ok(resumed > 0 && resumed <= 100_000, `resumed at ${resumed}`);
    assert.deepEqual(t.delays, [125]);
  });

  test("after five cuts, with growing pauses", async () => {
    await using t = await trial((request, response, count) => {
      const start = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
      if (count <= 5) cutAfter(50_000, response, start);
      else sendBlob(request, response);
    });
    assert.deepEqual(await download(t), content);
    assert.deepEqual(t.delays, [125, 250, 500, 1000, 2000]);
  });

  test("from a server that ignores Range, without a byte twice", async () => {
    await using t = await trial((_, response, count) => {
      if (count === 1) return cutAfter(70_000, response);
      response.writeHead(200, { "content-length": content.length }).end(content);
    });
    assert.deepEqual(await download(t), content);
  });

  test("from a server that names no length and ends too early", async () => {
    await using t = await trial((request, response, count) => {
      if (count > 1) return sendBlob(request, response);
      response.write(content.subarray(0, 1234));
      response.end();
    });
    assert.deepEqual(await download(t), content);
    assert.equal(t.server.requests[1]?.headers.range, "bytes=1234-");
  });

  test("after 429 with Retry-After in seconds and as a date", async () => {
    const waits = ["3", new Date(Date.UTC(2026, 0, 1, 0, 0, 7)).toUTCString()];
    await using t = await trial((request, response, count) => {
      const wait = waits[count - 1];
      if (wait === undefined) sendBlob(request, response);
      else response.writeHead(429, { "retry-after": wait }).end();
    });
    assert.deepEqual(await download(t), content);
    assert.deepEqual(t.delays, [3000, 7000]);
  });

  test("after 500, 502, 503", async () => {
    await using t = await trial((request, response, count) => {
      const status = [500, 502, 503][count - 1];
      if (status === undefined) sendBlob(request, response);
      else response.writeHead(status).end("<html>no</html>");
    });
    assert.deepEqual(await download(t), content);
    assert.deepEqual(t.delays, [125, 250, 500]);
  });

  test("after the server fell silent in the middle", async () => {
    await using t = await trial(
      (request, response, count) => {
        if (count > 1) return sendBlob(request, response);
        response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 10));
      },
      { idleTimeoutMs: 60 },
    );
    assert.deepEqual(await download(t), content);
    assert.equal(t.server.requests[1]?.headers.range, "bytes=10-");
  });

  test("to a reader who takes longer than a server may be silent", async () => {
    await using t = await trial((request, response) => sendBlob(request, response), { idleTimeoutMs: 60 });
    const pieces: Uint8Array[] = [];
    for await (const piece of t.client.blob(t.reference, descriptor)) {
      if (pieces.length === 0) await new Promise((resolve) => setTimeout(resolve, 150));
      pieces.push(piece);
    }
    assert.deepEqual(Buffer.concat(pieces), content);
    assert.equal(t.server.requests.length, 1);
  });
});

describe("a blob is refused", () => {
  test("after the sixth failure, with status and the registry's words", async () => {
    const body = JSON.stringify({ errors: [{ code: "UNAVAILABLE", message: "disk on fire" }] });
    await using t = await trial((_, response) => void response.writeHead(503).end(body));
    await assert.rejects(download(t), (error) => {
      assert.ok(error instanceof RegistryError);
      assert.equal(error.code, "pull_failed");
      assert.equal(error.status, 503);
      assert.deepEqual(error.registryCodes, ["UNAVAILABLE"]);
      assert.match(error.message, /disk on fire/);
      return true;
    });
    assert.equal(t.server.requests.length, 6);
  });

  test("at once when the registry asks for a pause of hours", async () => {
    await using t = await trial((_, response) => void response.writeHead(429, { "retry-after": "7200" }).end());
    await assert.rejects(download(t), { status: 429 });
    assert.equal(t.server.requests.length, 1);
  });

  test("when it is missing, without a retry", async () => {
    await using t = await trial((_, response) => void response.writeHead(404).end());
    await assert.rejects(download(t), (error) => isBerthError(error, "pull_failed") && error.fields.status === 404 && /not found/.test(error.message));
    assert.equal(t.server.requests.length, 1);
  });

  for (const [name, length] of [
    ["smaller", content.length - 1],
    ["larger", content.length + 1],
  ] as const) {
    test(`when the server announces a ${name} size`, async () => {
      await using t = await trial((_, response) => void response.writeHead(200, { "content-length": length }).end(Buffer.alloc(length)));
      await assert.rejects(download(t), DigestMismatchError);
      assert.equal(t.server.requests.length, 1);
    });
  }

  test("when more comes than was promised, and never more than that is delivered", async () => {
    await using t = await trial((_, response) => {
      response.write(content);
      response.end("one byte too many");
    });
    let received = 0;
    await assert.rejects(async () => {
      for await (const piece of t.client.blob(t.reference, descriptor)) received += piece.length;
    }, DigestMismatchError);
    assert.ok(received <= content.length);
  });

  test("when another range comes than the one asked for", async () => {
    await using t = await trial((_, response) => {
      response.writeHead(206, { "content-range": `bytes 0-${content.length - 1}/${content.length}` }).end(content);
    });
    await assert.rejects(download(t, { offset: 10 }), /another range/);
  });
});

describe("an abort", () => {
  test("while data comes ends with the signal's reason and closes the connection", async () => {
    await using t = await trial((_, response) => void response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 10)));
    const abort = new AbortController();
    const reason = new Error("enough");
    await assert.rejects(async () => {
      for await (const _ of t.client.blob(t.reference, descriptor, { signal: abort.signal })) abort.abort(reason);
    }, reason);
    await t.server.allClosed();
  });

  test("before an answer came closes the connection", async () => {
    const abort = new AbortController();
    await using t = await trial(() => abort.abort());
    await assert.rejects(download(t, { signal: abort.signal }), { name: "AbortError" });
    await t.server.allClosed();
  });

  test("in the pause before a retry ends at once", async () => {
    const abort = new AbortController();
    const clock = {
      delay: (_: number, signal: AbortSignal | undefined) =>
        new Promise<void>((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(signal.reason));
          abort.abort();
        }),
    };
    await using t = await trial((_, response) => void response.writeHead(500).end(), { clock });
    await assert.rejects(download(t, { signal: abort.signal }), { name: "AbortError" });
    assert.equal(t.server.requests.length, 1);
  });

  test("before the start asks nobody", async () => {
    await using t = await trial((request, response) => sendBlob(request, response));
    await assert.rejects(download(t, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(t.server.requests.length, 0);
  });

  test("is not needed when the reader stops: that closes the connection as well", async () => {
    await using t = await trial((_, response) => void response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 10)));
    for await (const _ of t.client.blob(t.reference, descriptor)) break;
    await t.server.allClosed();
  });

  test("of the whole client ends what runs, also when closed twice", async () => {
    await using t = await trial((_, response) => void response.writeHead(200, { "content-length": content.length }).write(content.subarray(0, 10)));
    await assert.rejects(
      async () => {
        for await (const _ of t.client.blob(t.reference, descriptor)) {
          t.client.close();
          t.client.close();
        }
      },
      { code: "aborted" },
    );
    await t.server.allClosed();
  });
});

describe("a redirect", () => {
  test("keeps Range, drops Authorization on another host, and is asked for again at every resumption", async () => {
    let cuts = 0;
    await using storage = await serveHttp((request, response) => (cuts++ === 0 ? cutAfter(5000, response) : sendBlob(request, response)));
    await using t = await trial((request, response, count) => {
      if (request.headers.authorization === undefined) return void response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
      response.writeHead(307, { location: `http://${storage.host}/data?signature=secret&n=${count}` }).end();
    });
    const auth = { username: "ann", password: "hunter22" };
    assert.deepEqual(await collect(t.client.blob(t.reference, descriptor, { auth })), content);
    assert.deepEqual(
      storage.requests.map(({ headers }) => headers.authorization),
      [undefined, undefined],
    );
    assert.match(storage.requests[1]?.headers.range ?? "", /^bytes=[1-9]\d*-$/);
    assert.notEqual(storage.requests[0]?.url, storage.requests[1]?.url);
  });

  test("that fails never shows the signed address", async () => {
    await using storage = await serveHttp((request, response) => void response.writeHead(403).end(`denied: http://${request.headers.host}${request.url}`));
    await using t = await trial((_, response) => void response.writeHead(302, { location: `http://${storage.host}/data?signature=secret` }).end());
    await assert.rejects(download(t), (error) => {
      assert.ok(isBerthError(error, "pull_failed"));
      assert.equal(error.fields.status, 403);
      assert.doesNotMatch(JSON.stringify([error.message, error.fields, String(error.cause), error.stack]), /secret/);
      return true;
    });
  });

  test("to a 401 elsewhere never brings the credentials out", async () => {
    await using storage = await serveHttp((_, response) => void response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end());
    await using t = await trial((_, response) => void response.writeHead(302, { location: `http://${storage.host}/data` }).end());
    await assert.rejects(collect(t.client.blob(t.reference, descriptor, { auth: { username: "ann", password: "hunter22" } })), { status: 401 });
    assert.deepEqual(
      storage.requests.map(({ headers }) => headers.authorization),
      [undefined],
    );
  });

  for (const [name, location] of [
    ["in a circle", "/v2/again"],
    ["to nowhere", "ftp://example.test/x"],
    ["to plain http elsewhere", "http://example.test/x"],
  ] as const) {
    test(`${name} is refused`, async () => {
      await using t = await trial((_, response) => void response.writeHead(302, { location }).end());
      await assert.rejects(download(t), /redirect/);
    });
  }
});

describe("mirrors", () => {
  const account = { username: "ann", password: "hunter22" };

  test("are asked first, under their path, without the registry's credentials", async () => {
    await using mirror = await serveHttp((request, response) => sendBlob(request, response));
    await using t = await trial(() => assert.fail("the registry was asked"), { mirrors: { "docker.io": [`http://${mirror.host}/hub/`] } });
    const nginx = parseReference("nginx");
    assert.deepEqual(await collect(t.client.blob(nginx, descriptor, { auth: account })), content);
    assert.equal(mirror.requests[0]?.url, `/v2/hub/library/nginx/blobs/${descriptor.digest}`);
    assert.equal(mirror.requests[0]?.headers.authorization, undefined);
  });

  test("that demand an account get their own or none, and then the registry is asked", async () => {
    await using mirror = await serveHttp((_, response) => void response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end());
    await using server = await serveHttp((request, response) => sendBlob(request, response));
    await using t = await trial(() => {}, { mirrors: { [server.host]: [`http://${mirror.host}`] } });
    assert.deepEqual(await collect(t.client.blob(parseReference(`${server.host}/app:1`), descriptor, { auth: account })), content);
    assert.deepEqual(
      mirror.requests.map(({ headers }) => headers.authorization),
      [undefined],
    );
  });

  test("that break in the middle are left, and the registry gives the rest", async () => {
    await using mirror = await serveHttp((_, response) => cutAfter(40_000, response));
    await using server = await serveHttp((request, response) => sendBlob(request, response));
    await using t = await trial(() => {}, { mirrors: { [server.host]: [`http://${mirror.host}`] } });
    assert.deepEqual(await collect(t.client.blob(parseReference(`${server.host}/app:1`), descriptor)), content);
    assert.match(server.requests[0]?.headers.range ?? "", /^bytes=[1-9]\d*-$/);
    assert.deepEqual(t.delays, []);
  });
});
