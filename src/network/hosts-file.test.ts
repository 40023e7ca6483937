import assert from "node:assert/strict";
import { test } from "node:test";
import { isBerthError } from "../errors.ts";
import { hostnameFile, hostsFile, parseExtraHost } from "./hosts-file.ts";

const linesOf = (o: Parameters<typeof hostsFile>[0]): string[] => hostsFile(o).split("\n");

test("localhost, extra hosts, then the container itself", () => {
  const lines = linesOf({
    hostname: "web",
    ips: ["10.86.0.2"],
    extraHosts: ["db:10.1.1.1", "six:fd00::1", "host.docker.internal:host-gateway"],
    gateway: "10.86.0.1",
  });
  assert.equal(lines[0], "127.0.0.1\tlocalhost");
  assert.deepEqual(lines.slice(-5), ["10.1.1.1\tdb", "fd00::1\tsix", "10.86.0.1\thost.docker.internal", "10.86.0.2\tweb", ""]);
});

test("a dotted hostname is also found by its first part", () => {
  assert.ok(linesOf({ hostname: "web.example.org", ips: ["10.86.0.2"], extraHosts: [] }).includes("10.86.0.2\tweb.example.org web"));
});

test("the host's own text is the base where the network is the host's", () => {
  assert.equal(hostsFile({ hostname: "h", extraHosts: ["a:1.1.1.1"], base: "127.0.0.1 localhost h\n\n" }), "127.0.0.1 localhost h\n1.1.1.1\ta\n");
});

test("what is no extra host is refused", () => {
  for (const entry of ["", "a", "a:", ":1.1.1.1", "a b:1.1.1.1", "a:b", "a\n6.6.6.6 c:1.1.1.1", "a:1.1.1.1\n2.2.2.2 b"]) {
    assert.throws(
      () => parseExtraHost(entry),
      (error) => isBerthError(error, "invalid_spec"),
      entry,
    );
  }
  assert.throws(
    () => hostsFile({ hostname: "h", extraHosts: ["a:host-gateway"] }),
    (error) => isBerthError(error, "invalid_spec"),
  );
  assert.deepEqual(parseExtraHost("a:[::1]"), { name: "a", ip: "::1" });
});

test("hostname ends its line", () => {
  assert.equal(hostnameFile("web"), "web\n");
});
