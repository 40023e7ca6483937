import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { lookUpUser, parseGroup, parsePasswd } from "./user.ts";

const files = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "web:x:1000:1001:Web:/home/web:/bin/sh",
    "42:x:7:7::relative:",
    "bad",
    "worse:x:-1:0::/:",
    "huge:x:4294967296:0::/:",
    "",
    "# comment",
  ].join("\n"),
  group: ["root:x:0:", "www:x:1001:", "disk:x:6:root,web", "video:x:44:web", "broken:x"].join("\n"),
};

describe("parsers pass over what is no entry", () => {
  test("passwd", () =>
    assert.deepEqual(
      parsePasswd(files.passwd).map((entry) => entry.name),
      ["root", "web", "42"],
    ));
  test("group", () =>
    assert.deepEqual(
      parseGroup(files.group).map((entry) => [entry.name, entry.members.length]),
      [
        ["root", 0],
        ["www", 0],
        ["disk", 2],
        ["video", 1],
      ],
    ));
});

describe("look-up", () => {
  const look = (user?: string, extra: readonly string[] = []): unknown => {
    const { uid, gid, additionalGids, home } = lookUpUser(user, extra, files);
    return [uid, gid, additionalGids, home];
  };
  test("absent is root with its groups", () => assert.deepEqual(look(), [0, 0, [0, 6], "/root"]));
  test("name", () => assert.deepEqual(look("web"), [1000, 1001, [1001, 6, 44], "/home/web"]));
  test("uid of a known user", () => assert.deepEqual(look("1000"), [1000, 1001, [1001, 6, 44], "/home/web"]));
  test("unknown uid has group 0 and no home", () => assert.deepEqual(look("5000"), [5000, 0, [0], "/"]));
  test("an explicit group replaces the memberships", () => {
    assert.deepEqual(look("web:disk"), [1000, 6, [6], "/home/web"]);
    assert.deepEqual(look("1:2"), [1, 2, [2], "/"]);
  });
  test("extra groups", () => assert.deepEqual(look("web", ["video", "9"]), [1000, 1001, [1001, 6, 44, 9], "/home/web"]));
  test("a name that looks like a number wins over the number", () => assert.deepEqual(look("42"), [7, 7, [7], "/"]));
  test("unknown names are never root", () => {
    for (const [user, extra] of [
      ["nobody", []],
      ["web:nogroup", []],
      ["web", ["nogroup"]],
      ["worse", []],
      ["4294967296", []],
      ["-1", []],
      ["0x0", []],
    ] as const) {
      assert.throws(
        () => lookUpUser(user, extra, files),
        (error) => isBerthError(error, "invalid_spec"),
        user,
      );
    }
  });
});
