/** The engine's own credentials for registries (contract 4.5, invariant 20). */
import assert from "node:assert/strict";
import type { CredentialsFacet } from "../../runtime/extras.ts";
import { parseReference } from "../../spec/reference.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

function facet(t: ContractContext): CredentialsFacet {
  const { credentials } = t.runtime.extras ?? {};
  assert.ok(credentials !== undefined, "the backend keeps credentials");
  return credentials;
}

/** The private image, and its registry without any entry in the store, also after the case. */
async function privateImage(t: ContractContext) {
  const account = t.images.private;
  assert.ok(account !== undefined);
  const { registry } = parseReference(account.reference);
  const forget = (): Promise<void> =>
    facet(t)
      .remove(registry)
      .catch(() => {});
  await forget();
  t.defer(forget);
  return { ...account, registry };
}

export const credentialCases: readonly ContractCase[] = [
  {
    name: "stored credentials are used for a pull without its own, and no more once they are removed",
    needs: ["credentials", "private-registry"],
    run: async (t) => {
      const { reference, registry, username, password } = await privateImage(t);
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(reference, "always"));
      await facet(t).store(registry, { kind: "basic", username, password });
      await t.runtime.pullImageWithPolicy(reference, "always");
      await facet(t).remove(registry);
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(reference, "always"));
    },
  },
  {
    name: "wrong credentials of a call fail although the store has the right ones, and neither is in the error",
    needs: ["credentials", "private-registry"],
    run: async (t) => {
      const { reference, registry, username, password } = await privateImage(t);
      await facet(t).store(registry, { kind: "basic", username, password });
      const wrong = { username, password: "wrong-and-secret-4711" };
      const error = await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(reference, "always", wrong));
      const text = JSON.stringify([error.message, error.fields, String(error.cause), error.stack]);
      assert.ok(!text.includes(wrong.password) && !text.includes(password), "the error holds no password");
    },
  },
  {
    name: "an entry is listed without its secret, and a new one takes its place",
    needs: ["credentials", "private-registry"],
    run: async (t) => {
      const { registry, password } = await privateImage(t);
      const first = await facet(t).store(registry, { kind: "basic", username: "alice", password });
      const second = await facet(t).store(registry, { kind: "basic", username: "bob", password: "another-secret" });
      assert.notEqual(first.id, second.id);
      const entries = (await facet(t).list()).filter((entry) => entry.registry === registry);
      assert.deepEqual(entries, [second]);
      assert.deepEqual(Object.keys(second).sort(), ["createdAt", "id", "kind", "registry", "username"]);
      assert.ok(!JSON.stringify(entries).includes("another-secret"));
      await facet(t).remove(second.id);
      await rejectsWith("not_found", facet(t).remove(registry));
    },
  },
  {
    name: "an entry of kind anonymous shows nobody to the registry",
    needs: ["credentials", "private-registry"],
    run: async (t) => {
      const { reference, registry } = await privateImage(t);
      await facet(t).store(registry, { kind: "anonymous" });
      await rejectsWith("pull_failed", t.runtime.pullImageWithPolicy(reference, "always"));
    },
  },
  {
    name: "every spelling of Docker Hub is one entry, and what is no registry is refused",
    needs: ["credentials"],
    run: async (t) => {
      t.defer(() =>
        facet(t)
          .remove("docker.io")
          .catch(() => {}),
      );
      for (const spelling of ["", "docker.io", "index.docker.io", "https://index.docker.io/v1/"]) {
        const entry = await facet(t).store(spelling, { kind: "basic", username: "alice", password: "secret-of-the-hub" });
        assert.equal(entry.registry, "docker.io");
      }
      assert.equal((await facet(t).list()).filter(({ registry }) => registry === "docker.io").length, 1);
      await facet(t).remove("registry-1.docker.io");
      await rejectsWith("invalid_spec", facet(t).store("not a host", { kind: "anonymous" }));
      await rejectsWith("invalid_spec", facet(t).store("ghcr.io", { kind: "basic", username: "alice", password: "" }));
    },
  },
  {
    name: "a login is checked with the registry: right, wrong and out of reach",
    needs: ["credentials", "private-registry"],
    run: async (t) => {
      const { registry, username, password } = await privateImage(t);
      const check = t.runtime.extras?.checkLogin;
      assert.ok(check !== undefined);
      assert.equal(await check(registry, { username, password }), true);
      assert.equal(await check(registry, { username, password: "wrong" }), false);
    },
  },
  {
    name: "stored credentials are there for whoever opens the state next",
    needs: ["credentials", "private-registry", "reopen"],
    run: async (t) => {
      const { reference, registry, username, password } = await privateImage(t);
      await facet(t).store(registry, { kind: "basic", username, password });
      const second = await t.reopen();
      assert.deepEqual(await second.extras?.credentials?.list(), await facet(t).list());
      await second.pullImageWithPolicy(reference, "always");
    },
  },
  {
    name: "calls about credentials that were aborted before they began reject with the reason",
    needs: ["credentials"],
    run: async (t) => {
      const { signal, reason, abort } = aborter();
      abort();
      await rejectsBecause(reason, facet(t).store("example.com", { kind: "anonymous" }, { signal }));
      await rejectsBecause(reason, facet(t).list({ signal }));
      await rejectsBecause(reason, facet(t).remove("example.com", { signal }));
    },
  },
];
