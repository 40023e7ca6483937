import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHost } from "./host-check.ts";

test("a page elsewhere can neither choose our name nor hide where it is from", () => {
  const unix = { isUnix: true, isOurName: () => false };
  const tcp = { isUnix: false, isOurName: (host: string) => host === "engine.example.org" };
  for (const host of ["127.0.0.1:2376", "[::1]:2376", "localhost:2376", "engine.example.org:2376", "docker", ""]) checkHost({ host }, tcp);
  assert.throws(() => checkHost({ host: "evil.example.com" }, tcp), /not called/);
  checkHost({ host: "api.moby.localhost", origin: "http://api.moby.localhost" }, unix);
  assert.throws(() => checkHost({ host: "docker", origin: "https://evil.example.com" }, unix), /are refused/);
  assert.throws(() => checkHost({ host: "localhost", origin: "null" }, tcp), /are refused/);
});
