import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBerthError } from "../errors.ts";
import { addressToNumber, broadcastOf, contains, macBytes, macOf, numberToAddress, overlaps, parseSubnet, subnetSize, subnetToText } from "./ipv4.ts";

const address = fc.integer({ min: 0, max: 0xffff_ffff });
const subnet = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([first, prefix]) => parseSubnet(`${numberToAddress(first)}/${prefix}`));

describe("addresses", () => {
  test("are numbers and back", () => {
    fc.assert(fc.property(address, (value) => assert.equal(addressToNumber(numberToAddress(value)), value)));
  });

  test("that are none are refused", () => {
    for (const text of ["", "1.2.3", "1.2.3.256", "::1", "1.2.3.4/8"])
      assert.throws(
        () => addressToNumber(text),
        (error) => isBerthError(error, "invalid_spec"),
      );
  });

  test("give their mac", () => {
    assert.equal(macOf("10.86.0.255"), "02:42:0a:56:00:ff");
    assert.deepEqual([...macBytes("02:42:0a:56:00:ff")], [2, 0x42, 10, 86, 0, 255]);
  });
});

describe("subnets", () => {
  test("lose their host bits", () => {
    assert.equal(subnetToText(parseSubnet("10.1.2.3/16")), "10.1.0.0/16");
    assert.equal(numberToAddress(broadcastOf(parseSubnet("10.1.2.3/29"))), "10.1.2.7");
    assert.equal(subnetSize(parseSubnet("0.0.0.0/0")), 2 ** 32);
  });

  test("that are none are refused", () => {
    for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8x", "fd00::/8"]) {
      assert.throws(
        () => parseSubnet(text),
        (error) => isBerthError(error, "invalid_spec"),
      );
    }
  });

  test("overlap when one contains the other's first address", () => {
    fc.assert(fc.property(subnet, subnet, (a, b) => assert.equal(overlaps(a, b), contains(a, b.first) || contains(b, a.first))));
  });
});
