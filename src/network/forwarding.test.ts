import assert from "node:assert/strict";
import { test } from "node:test";
import { parseForwardChains } from "./forwarding.ts";

test("chains on the forward hook that see IPv4 are found", () => {
  const chain = (family: string, table: string, hook: string, policy: string) => ({
    chain: { family, table, name: "C", handle: 1, type: "filter", hook, prio: 0, policy },
  });
  const json = JSON.stringify({
    nftables: [
      { metainfo: { version: "1.0.6" } },
      chain("ip", "filter", "forward", "drop"),
      chain("inet", "firewalld", "forward", "accept"),
      chain("ip6", "filter", "forward", "drop"),
      chain("ip", "filter", "input", "drop"),
      { chain: { family: "ip", table: "filter", name: "DOCKER-USER", handle: 2 } },
    ],
  });
  assert.deepEqual(parseForwardChains(json), [
    { family: "ip", table: "filter", name: "C", policy: "drop" },
    { family: "inet", table: "firewalld", name: "C", policy: "accept" },
  ]);
  assert.deepEqual(parseForwardChains("{}"), []);
});
