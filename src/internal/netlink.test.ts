import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { attribute, decodeMessages, encodeRequest, listAttributes, NETLINK, NetlinkSocket, nested, readAttributes, readText, text, u32 } from "./netlink.ts";

describe("attributes", () => {
  test("carry length and type and are padded to four bytes", () => {
    assert.equal(attribute(3, text("lo")).toString("hex"), "07000300" + "6c6f0000");
    assert.equal(nested(18, attribute(1, u32(7))).toString("hex"), "0c001280" + "08000100" + "07000000");
  });

  test("read back as written", () => {
    const values = fc.array(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 });
    fc.assert(
      fc.property(values, (list) => {
        const bytes = Buffer.concat(list.map(([type, value]) => attribute(type, value)));
        assert.deepEqual(
          listAttributes(bytes).map(([type, value]) => [type, [...value]]),
          list.map(([type, value]) => [type, [...value]]),
        );
      }),
    );
  });

  test("that are cut short or claim too much end the list", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void readAttributes(Buffer.from(bytes))));
    assert.deepEqual(listAttributes(Buffer.from("0200010000000000", "hex")), []);
  });

  test("of text end at the first NUL", () => {
    assert.equal(readText(Buffer.from("eth0\0\0\0")), "eth0");
    assert.equal(readText(undefined), "");
  });
});

describe("messages", () => {
  test("have the header of netlink(7)", () => {
    const frame = encodeRequest({ type: 16, flags: 0x600, body: Buffer.from("abcde"), subject: "" }, 4, 9);
    assert.equal(frame.toString("hex"), "15000000" + "1000" + "0506" + "09000000" + "00000000" + "6162636465000000");
  });

  test("several in one datagram read back", () => {
    const frames = [1, 2, 3].map((sequence) => encodeRequest({ type: 16, flags: 0, body: Buffer.from("x".repeat(sequence)), subject: "" }, 0, sequence));
    assert.deepEqual(
      decodeMessages(Buffer.concat(frames)).map(({ sequence, body }) => [sequence, body.toString()]),
      [
        [1, "x"],
        [2, "xx"],
        [3, "xxx"],
      ],
    );
    assert.deepEqual(decodeMessages(Buffer.from([1, 0, 0, 0])), []);
  });
});

test("an error of the kernel names the request, and is silent where it is tolerated", () => {
  using socket = new NetlinkSocket(NETLINK.ROUTE);
  const body = Buffer.concat([Buffer.alloc(16), attribute(3, text("no-such-link"))]);
  const request = { type: 18, flags: 0, subject: "get link no-such-link", body };
  assert.throws(() => socket.request([request]), { code: "ENODEV", message: /get link no-such-link/ });
  assert.deepEqual(socket.request([{ ...request, tolerate: ["ENODEV"] }]), []);
});
