import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSubnet, subnetToText } from "./ipv4.ts";
import { chooseDefaultSubnet, chooseSubnet } from "./subnet-choice.ts";

const text = (subnet: ReturnType<typeof chooseSubnet>): string | undefined => subnet && subnetToText(subnet);

test("the first free one of the pool", () => {
  assert.equal(text(chooseDefaultSubnet([], 0)), "10.86.0.0/16");
  assert.equal(text(chooseDefaultSubnet([parseSubnet("10.86.7.0/24")], 0)), "10.87.0.0/16");
  assert.equal(text(chooseDefaultSubnet([parseSubnet("10.0.0.0/8")], 0)), "172.31.0.0/16");
  assert.equal(text(chooseSubnet([parseSubnet("10.108.0.0/24")], 0)), "10.108.1.0/24");
  assert.equal(text(chooseSubnet([parseSubnet("10.108.0.0/15")], 0)), "172.28.0.0/24");
});

test("the search goes around from where it starts", () => {
  assert.equal(text(chooseDefaultSubnet([parseSubnet("172.16.0.0/12")], 16)), "10.86.0.0/16");
  assert.equal(text(chooseSubnet([], 1024 + 3)), "10.108.3.0/24");
});

test("none when everything is taken", () => {
  const all = [parseSubnet("10.0.0.0/8"), parseSubnet("172.16.0.0/12")];
  assert.deepEqual([chooseDefaultSubnet(all, 5), chooseSubnet(all, 5)], [undefined, undefined]);
});
