/** Turns the contract into tests of `node:test` for one backend. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { UnsupportedError } from "../errors.ts";
import { abandonable } from "../internal/abort.ts";
import { type RuntimeMethod, runtimeMethods } from "../runtime/capabilities.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { callWithAnything } from "./call-with-anything.ts";
import { CaseContext } from "./case-context.ts";
import { allCases } from "./cases/all.ts";
import { recordCalls } from "./record-calls.ts";
import type { ContractCase, ContractImages, Need, Trait } from "./contract.ts";

export interface OpenedBackend {
  readonly runtime: Runtime;
  readonly images: ContractImages;
  /** The same state in a second runtime. */
  reopen(): Promise<Runtime>;
  /** Ends everything, the runtime included. */
  close(): Promise<void>;
}

export interface ContractOptions {
  /** Heading of the tests. */
  readonly name: string;
  open(): Promise<OpenedBackend>;
  /** Traits this backend has not, each with the reason that is printed. */
  readonly lacks?: Partial<Readonly<Record<Trait, string>>> | undefined;
  /** Cases left out by name, each with the reason that is printed. A name that fits no case fails. */
  readonly skips?: Readonly<Record<string, string>> | undefined;
  /** Methods that no case left shows to work, each with the reason. */
  readonly unseen?: Partial<Readonly<Record<RuntimeMethod, string>>> | undefined;
  /** Default: all of them. */
  readonly cases?: readonly ContractCase[] | undefined;
  /** Per case. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

/** Declares the tests. A case whose method is unsupported asserts that instead; one that lacks a trait is skipped with the reason. */
export function runContract(o: ContractOptions): void {
  const cases = o.cases ?? allCases;
  describe(`contract: ${o.name}`, { concurrency: false }, () => {
    let opened: OpenedBackend;
    /** Methods that did their work in a case that passed. */
    const worked = new Set<RuntimeMethod>();
    before(async () => {
      opened = await o.open();
      await opened.runtime.pullImage(opened.images.demo);
      await opened.runtime.pullImage(opened.images.configured);
    });
    after(async () => {
      if (opened === undefined) return;
      try {
        await removeLeftovers(opened.runtime);
      } finally {
        await opened.close();
      }
    });

    test("every skip names a case, every case has its own name", () => {
      const names = cases.map((one) => one.name);
      assert.deepEqual(
        Object.keys(o.skips ?? {}).filter((name) => !names.includes(name)),
        [],
      );
      assert.deepEqual(
        names.filter((name, index) => names.indexOf(name) !== index),
        [],
      );
    });
    test("capabilities speak about every method", () => assert.deepEqual(Object.keys(opened.runtime.capabilities).sort(), [...runtimeMethods].sort()));
    test("what is unsupported is refused, without side effect", async (t) => {
      for (const method of runtimeMethods.filter((name) => opened.runtime.capabilities[name].support === "unsupported")) {
        await t.test(method, () => checkRefusal(opened, method));
      }
    });
    for (const one of cases) {
      const skip = o.skips?.[one.name] ?? missingTrait(one, o.lacks ?? {});
      const options = { timeout: o.timeoutMs ?? 30_000, ...(skip === undefined ? {} : { skip }) };
      test(one.name, options, async (t) => {
        const seen = new Set<RuntimeMethod>();
        const recorded = { ...opened, runtime: recordCalls(opened.runtime, seen), reopen: async () => recordCalls(await opened.reopen(), seen) };
        await runCase(recorded, one, t.signal);
        for (const method of seen) worked.add(method);
        if (process.env["BERTH_CONTRACT_OUTCOMES"] !== undefined) t.diagnostic(`methods ${[...seen].join(" ")}`);
      });
    }
    if (o.cases === undefined) {
      test("every method that is not unsupported was seen to work", () => {
        const supported = runtimeMethods.filter((method) => method !== asksTheInternet && opened.runtime.capabilities[method].support !== "unsupported");
        assert.deepEqual(
          supported.filter((method) => !worked.has(method) && o.unseen?.[method] === undefined),
          [],
        );
      });
    }
  });
}

/** Its answer is that of a public index; no case can bring one to every engine. */
const asksTheInternet: RuntimeMethod = "searchImages";

function missingTrait(one: ContractCase, lacks: Partial<Readonly<Record<string, string>>>): string | undefined {
  const missing = one.needs.find((need) => lacks[need] !== undefined);
  return missing === undefined ? undefined : `${missing}: ${lacks[missing]}`;
}

async function runCase(opened: OpenedBackend, one: ContractCase, signal: AbortSignal): Promise<void> {
  const refused = one.needs.filter(isMethod).find((method) => opened.runtime.capabilities[method].support === "unsupported");
  if (refused !== undefined) return await checkRefusal(opened, refused);
  const context = new CaseContext(opened);
  try {
    // A case that takes too long is given up, so that its containers are removed before the next one begins.
    await abandonable(one.run(context), signal);
  } finally {
    await context.cleanUp();
  }
}

/** What cases left that were given up. */
async function removeLeftovers(runtime: Runtime): Promise<void> {
  for (const { containerId } of await runtime.listContainers()) {
    if (containerId !== undefined) await runtime.removeContainer(containerId).catch(() => {});
  }
}

function isMethod(need: Need): need is RuntimeMethod {
  return (runtimeMethods as readonly string[]).includes(need);
}

/** Invariant 24. */
async function checkRefusal(opened: OpenedBackend, method: RuntimeMethod): Promise<void> {
  const { runtime } = opened;
  const context = new CaseContext(opened);
  try {
    const id = await context.create();
    const before = await fingerprint(opened, id);
    await assert.rejects(callWithAnything(runtime, method, id, opened.images.demo), (thrown: unknown) => {
      assert.ok(thrown instanceof UnsupportedError, `${method} rejected with ${String(thrown)}`);
      assert.equal(thrown.code, "unsupported");
      assert.equal(thrown.method, method);
      // A dispatcher passes on what its backend throws: the backend named is the one that cannot.
      assert.ok(thrown.backend !== "" && thrown.message.includes(method) && thrown.message.includes(thrown.backend), thrown.message);
      return true;
    });
    assert.deepEqual(await fingerprint(opened, id), before);
  } finally {
    await context.cleanUp();
  }
}

async function fingerprint({ runtime }: OpenedBackend, id: Parameters<Runtime["containerState"]>[0]): Promise<unknown> {
  const images = runtime.capabilities.listImages.support === "unsupported" ? [] : await runtime.listImages();
  return { state: await runtime.containerState(id), inspect: await runtime.inspectDetailed(id), images };
}
