import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBerthError } from "../errors.ts";
import {
  canonicalIp,
  ipBytes,
  ipOfBytes,
  ipSubnetsOverlap,
  ipSubnetText,
  ipSubnetWithin,
  ipText,
  ipWithin,
  isHostAddress,
  lastOf,
  parseIp,
  parseIpSubnet,
} from "./ip.ts";

const invalid = (error: unknown): boolean => isBerthError(error, "invalid_spec");

describe("addresses", () => {
  test("are written in their shortest form", () => {
    for (const [text, short] of [
      ["10.0.0.1", "10.0.0.1"],
      ["fd00:0:0:0:0:0:0:1", "fd00::1"],
      ["FD00::00aB", "fd00::ab"],
      ["::", "::"],
      ["::1", "::1"],
      ["1::", "1::"],
      ["::ffff:10.0.0.1", "::ffff:a00:1"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"],
    ] as const) {
      assert.equal(canonicalIp(text), short);
    }
  });

  test("survive text and bytes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseIp(text);
        assert.deepEqual(parseIp(ipText(address)), address);
        assert.deepEqual(ipOfBytes(ipBytes(address)), address);
      }),
    );
  });

  test("that are none are refused", () => {
    for (const text of ["", "1.2.3", "256.1.1.1", "fd00::1::2", "fe80::1%eth0", "x"]) assert.throws(() => parseIp(text), invalid, text);
  });
});

describe("subnets", () => {
  test("lose their host bits", () => {
    assert.equal(ipSubnetText(parseIpSubnet("10.1.2.3/16")), "10.1.0.0/16");
    assert.equal(ipSubnetText(parseIpSubnet("fd00:1::5/64")), "fd00:1::/64");
    assert.equal(ipText({ family: 4, value: lastOf(parseIpSubnet("10.1.0.0/16")) }), "10.1.255.255");
  });

  test("that are none are refused", () => {
    for (const text of ["10.1.0.0", "10.1.0.0/33", "fd00::/129", "/8", "10.0.0.0/8/8", "10.0.0.0/-1"]) assert.throws(() => parseIpSubnet(text), invalid, text);
  });

  test("contain and overlap within their family", () => {
    const [wide, narrow, six] = [parseIpSubnet("10.0.0.0/8"), parseIpSubnet("10.5.0.0/16"), parseIpSubnet("fd00::/8")];
    assert.ok(ipWithin(wide, parseIp("10.255.0.1")) && !ipWithin(wide, parseIp("11.0.0.1")) && !ipWithin(six, parseIp("10.0.0.1")));
    assert.ok(ipSubnetWithin(wide, narrow) && !ipSubnetWithin(narrow, wide));
    assert.ok(ipSubnetsOverlap(narrow, wide) && !ipSubnetsOverlap(narrow, parseIpSubnet("10.6.0.0/16")) && !ipSubnetsOverlap(wide, six));
  });

  test("keep their first address, and in IPv4 the last, from hosts", () => {
    const four = parseIpSubnet("10.0.0.0/30");
    assert.deepEqual(
      ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map((text) => isHostAddress(four, parseIp(text))),
      [false, true, true, false, false],
    );
    const six = parseIpSubnet("fd00::/126");
    assert.deepEqual(
      ["fd00::", "fd00::1", "fd00::3", "fd00::4"].map((text) => isHostAddress(six, parseIp(text))),
      [false, true, true, false],
    );
  });
});
