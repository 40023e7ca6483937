import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pings } from "./pings.ts";

async function listening(t: TestContext, answer: RequestListener): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "berth-pings-"));
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(join(directory, "sock"), resolve));
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return join(directory, "sock");
}

test("every ping is sent once and waits for its answer", async (t) => {
  const paths: string[] = [];
  const socket = await listening(t, ({ url = "" }, response) => {
    paths.push(url);
    response.end("OK");
  });
  await pings(socket, 25, 4);
  assert.deepEqual(paths, Array(25).fill("/_ping"));
});

test("an answer that is no 200, and a server that goes away, are errors", async (t) => {
  const failing = await listening(t, (_, response) => response.writeHead(500).end("OK"));
  await assert.rejects(pings(failing, 5, 2), /ping: HTTP\/1.1 500/);
  const leaving = await listening(t, ({ socket }) => socket.destroy());
  await assert.rejects(pings(leaving, 5, 1), /not answered|ECONNRESET|EPIPE/);
});
