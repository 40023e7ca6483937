import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { command } from "./network-world.ts";

const module = new URL("../../src/network/forwarding.ts", import.meta.url).href;
const code = `
  const { forwardingProblems } = await import(${JSON.stringify(module)});
  console.log(JSON.stringify(await forwardingProblems(["berth0"])));`;

/** Runs shell commands, then the check, then its remedy, then the check again, in a network namespace of their own. */
function before(setup: string): { problem: string; remedy: string }[][] {
  const check = `"$NODE" --input-type=module -e "$CODE"`;
  const mend = `${check} | "$NODE" -e 'for (const { remedy } of JSON.parse(require("fs").readFileSync(0, "utf8"))) console.log(remedy)' | sh -e`;
  const script = `set -e; NODE="$1"; CODE="$2"; ${setup}\n${check}; ${mend}; ${check}`;
  const lines = command("unshare", "-n", "sh", "-c", script, "sh", process.execPath, code).trim().split("\n");
  return lines.map((line) => JSON.parse(line));
}

describe("foreign rules that drop forwarded packets are reported, and the remedy mends them", () => {
  test("none on a host without a firewall", () => {
    assert.deepEqual(before("true"), [[], []]);
  });

  test("dockerd's iptables", () => {
    const [found, mended] = before("iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -P FORWARD DROP");
    assert.equal(found?.length, 1);
    assert.match(found?.[0]?.problem ?? "", /ip filter.*berth0/);
    assert.match(found?.[0]?.remedy ?? "", /^iptables -I DOCKER-USER -i berth0 -j ACCEPT && /);
    assert.deepEqual(mended, []);
  });

  test("iptables without docker", () => {
    const [found, mended] = before("iptables -P FORWARD DROP");
    assert.match(found?.[0]?.remedy ?? "", /-I FORWARD -o berth0/);
    assert.deepEqual(mended, []);
  });

  test("a table of somebody's own", () => {
    const [found, mended] = before("nft 'add table inet home; add chain inet home passing { type filter hook forward priority 0; policy drop; }'");
    assert.match(found?.[0]?.remedy ?? "", /^nft insert rule inet home passing iifname berth0 accept && /);
    assert.deepEqual(mended, []);
  });
});
