/** Clients that mean ill or are broken: the daemon answers, holds little for each of them, and everybody else is served. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { callSocket } from "../support/call-socket.ts";
import { runCommand } from "../support/docker-cli.ts";
import { until } from "../support/scenarios.ts";

const mebibyte = 1024 * 1024;
const limitBytes = 32 * mebibyte;

describe("hostile clients", () => {
  let daemon: BerthDaemon;
  let slow: readonly Socket[] = [];
  let descriptors = 0;
  before(async () => {
    daemon = await startBerthDaemon({ backend: "mock", args: ["--log-format", "json"] });
    // Warm: what is loaded once is no request's.
    for (const path of ["/info", "/containers/json", "/api/v1/containers"]) await callSocket(daemon.socket, "GET", path);
    descriptors = openDescriptors(daemon.pid);
    slow = Array.from({ length: 300 }, (_, i) => open(i % 2 === 0 ? "GET /info HTTP/1.1\r\nHost: x\r\nX-Slow: " : "G"));
  });
  after(() => daemon.stop());

  /** A client's connection on which that was sent. */
  function open(text: string): Socket {
    const socket = connect({ path: daemon.socket });
    socket.on("error", () => {});
    socket.write(text);
    socket.resume();
    return socket;
  }

  /** What comes back until the daemon closes. */
  async function whole(socket: Socket): Promise<string> {
    let text = "";
    socket.setEncoding("latin1").on("data", (more: string) => (text += more));
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    return text;
  }

  /** How much the daemon's memory grew at most during the work. */
  async function peakBytes(work: () => Promise<void>): Promise<number> {
    writeFileSync(`/proc/${daemon.pid}/clear_refs`, "5");
    const start = statusBytes(daemon.pid, "VmRSS");
    await work();
    return statusBytes(daemon.pid, "VmHWM") - start;
  }

  /** Status of a request whose body does not end before 512 MiB; curl goes on sending until it is answered. */
  async function sendEndlessly(method: string, path: string): Promise<string> {
    const curl = `curl -s -o /dev/null -w '%{http_code}' -X ${method} -H Expect: -T - --unix-socket ${daemon.socket} 'http://berth${path}'`;
    return (await runCommand("sh", ["-c", `head -c 512M /dev/zero | ${curl}`])).stdout;
  }

  const endless: readonly (readonly [string, string, string, string])[] = [
    ["a create", "POST", "/containers/create", "413"],
    ["a native create", "POST", "/api/v1/containers", "413"],
    ["files for a container that is not there", "PUT", "/containers/nope/archive?path=/", "404"],
    ["a build", "POST", "/build", "501"],
    ["a route that is not there", "POST", "/nowhere", "404"],
  ];
  for (const [name, method, path, status] of endless) {
    test(`a body without end for ${name} is answered, and not kept`, async () => {
      const grown = await peakBytes(async () => assert.equal(await sendEndlessly(method, path), status));
      assert.ok(grown < limitBytes, `${grown} bytes`);
    });
  }

  const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  const bad: readonly (readonly [string, string, string, number, ({ raw: string } | { headers: Record<string, string> })?])[] = [
    ["JSON of 300,000 levels", "POST", "/containers/create", 400, { raw: nested(300_000) }],
    ["a hidden prototype", "POST", "/containers/create", 400, { raw: '{"\\u005f_proto__":{"Tty":true}}' }],
    ["a prototype deep inside", "POST", "/api/v1/containers", 400, { raw: '{"image":"x","labels":{"__proto__":"y"}}' }],
    ["a constructor", "POST", "/containers/create", 404, { raw: '{"Image":"nope","Labels":{"constructor":"x","toString":"y"}}' }],
    ["deep filters", "GET", `/containers/json?filters=${encodeURIComponent(nested(2_000))}`, 400],
    ["a prototype as a filter", "GET", `/containers/json?filters=${encodeURIComponent('{"__proto__":["x"]}')}`, 400],
    ["credentials that are none", "POST", "/images/create?fromImage=nope.example/x", 400, { headers: { "x-registry-auth": "%%%" } }],
    ["a name of 60,000 characters", "GET", `/containers/${"a".repeat(60_000)}/json`, 404],
    ["a way out", "GET", "/containers/..%2f..%2fetc%2fpasswd/json", 404],
    ["a zero byte", "GET", "/containers/a%00b/json", 404],
    ["10,000 parameters", "GET", `/containers/json?${"a=1&".repeat(10_000)}`, 200],
    ["a header too long", "GET", "/info", 431, { headers: { "x-long": "a".repeat(200_000) } }],
  ];
  for (const [name, method, path, status, input] of bad) {
    test(`${name}: ${status}`, async () => {
      const grown = await peakBytes(async () => {
        const answer = await callSocket(daemon.socket, method, path, input);
        assert.equal(answer.status, status, answer.text.slice(0, 200));
      });
      assert.ok(grown < limitBytes, `${grown} bytes`);
    });
  }

  test("a client that closed its side after the request is answered", async () => {
    for (const path of ["/_ping", "/info", "/containers/json", "/api/v1/containers"]) {
      const socket = connect({ path: daemon.socket });
      socket.end(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.match(await whole(socket), /^HTTP\/1\.1 200 /, path);
    }
  });

  test("a client that hangs up in the middle of a body is no error of ours", async () => {
    for (const path of ["/containers/create", "/images/load", "/api/v1/containers"]) {
      const socket = open(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`);
      await once(socket, "connect");
      socket.end();
      await whole(socket);
    }
  });

  test("a client that reads nothing and asks on is not answered without end", async () => {
    const socket = connect({ path: daemon.socket });
    socket.on("error", () => {});
    const requests = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2_000);
    const grown = await peakBytes(async () => {
      socket.write(requests);
      for (let round = 0; round < 20; round++) assert.equal((await callSocket(daemon.socket, "GET", "/containers/json")).status, 200);
    });
    socket.destroy();
    assert.ok(grown < limitBytes, `${grown} bytes`);
  });

  test("who never finishes a header is sent away, and of all of them nothing stays", async () => {
    await until("the slow ones are closed", () => slow.every((socket) => socket.closed));
    await until("their descriptors are closed", () => openDescriptors(daemon.pid) <= descriptors + 1);
    assert.equal((await callSocket(daemon.socket, "GET", "/_ping")).status, 200);
    assert.doesNotMatch(daemon.log(), /"level":"error"/);
  });
});

function statusBytes(pid: number, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
