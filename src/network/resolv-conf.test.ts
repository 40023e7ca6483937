import assert from "node:assert/strict";
import { test } from "node:test";
import { isBerthError } from "../errors.ts";
import { resolvConf } from "./resolv-conf.ts";

const host = "# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\nsearch example.org\noptions ndots:2 edns0\n";

test("the host's servers without its loopback, with its settings", () => {
  assert.equal(resolvConf({ dns: [], hostResolvConf: host }), "nameserver 10.0.0.53\nsearch example.org\noptions ndots:2 edns0\n");
});

test("the user's servers come first and all of them stay", () => {
  assert.equal(
    resolvConf({ dns: ["1.1.1.1", "fd00::53"], hostResolvConf: host })
      .split("\n")
      .slice(0, 3)
      .join(),
    "nameserver 1.1.1.1,nameserver fd00::53,nameserver 10.0.0.53",
  );
  const four = ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"];
  assert.deepEqual(resolvConf({ dns: four, hostResolvConf: host }).match(/1\.1\.1\.\d/g), four);
  assert.ok(!resolvConf({ dns: four, hostResolvConf: host }).includes("10.0.0.53"));
});

test("search domains and options of the user replace the host's, a dot leaves none", () => {
  const own = resolvConf({ dns: [], hostResolvConf: host, search: ["a.example", "b.example"], options: ["ndots:3"] });
  assert.equal(own, "nameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:3\n");
  assert.equal(resolvConf({ dns: [], hostResolvConf: host, search: ["."] }), "nameserver 10.0.0.53\noptions ndots:2 edns0\n");
});

test("public servers when there are none", () => {
  for (const hostResolvConf of ["", "nameserver 127.0.0.1\nnameserver ::1\n"]) {
    assert.equal(resolvConf({ dns: [], hostResolvConf }), "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
  }
});

test("the host's text as it is on the host's network", () => {
  assert.equal(resolvConf({ dns: ["1.1.1.1"], hostResolvConf: host, hostNetwork: true }), host);
});

test("a server that is no address is refused", () => {
  assert.throws(
    () => resolvConf({ dns: ["dns.example.org"], hostResolvConf: "" }),
    (error) => isBerthError(error, "invalid_spec"),
  );
});
