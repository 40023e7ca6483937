import assert from "node:assert/strict";
import { test } from "node:test";
import { completeSettings } from "./options.ts";

test("flags win over the file, hosts are joined", () => {
  const settings = completeSettings({ host: ["unix:///a"], "log-level": "debug", group: "x" }, { host: ["unix:///b"], group: "y", "log-level": undefined });
  assert.deepEqual(settings.host, ["unix:///a", "unix:///b"]);
  assert.equal(settings.group, "y");
  assert.equal(settings.logLevel, "debug");
  assert.deepEqual(completeSettings({}, { "run-dir": "/r" }).host, ["unix:///r/docker.sock"]);
});

test("TCP wants a certificate and a way to know clients", () => {
  const tcp = { host: ["tcp://0.0.0.0:2376"] };
  assert.throws(() => completeSettings({}, tcp), /needs tls-cert and tls-key/);
  assert.throws(() => completeSettings({}, { ...tcp, "tls-cert": "c", "tls-key": "k" }), /tls-ca-cert or token-file/);
  assert.ok(completeSettings({}, { ...tcp, "tls-cert": "c", "tls-key": "k", "tls-ca-cert": "ca" }));
});

test("a wrong value names its setting", () => {
  assert.throws(() => completeSettings({ "log-level": "loud" }, {}), /log-level must be one of/);
  assert.throws(() => completeSettings({ host: [1] }, {}), /host must be/);
  assert.throws(() => completeSettings({}, { "shutdown-timeout": "-1" }), /shutdown-timeout must be/);
});
