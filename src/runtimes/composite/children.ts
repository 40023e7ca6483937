import { BerthError, isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";

export interface CompositeChild {
  /** What labels and annotations call it; unique. */
  readonly name: string;
  readonly runtime: Runtime;
  /** Operating systems of the containers it runs, as in `spec.platform.os`. */
  readonly os: readonly string[];
}

/** The backends behind a composite, the primary first. */
export class Children {
  readonly all: readonly CompositeChild[];
  readonly primary: CompositeChild;

  constructor(all: readonly CompositeChild[]) {
    const [primary] = all;
    if (primary === undefined) throw new BerthError("configuration", "a composite needs a primary backend");
    const names = all.map(({ name }) => name);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw new BerthError("configuration", `two backends of the composite are called ${JSON.stringify(twice)}`);
    this.all = all;
    this.primary = primary;
  }

  byName(name: string): CompositeChild | undefined {
    return this.all.find((child) => child.name === name);
  }

  /**
   * Asks every child. One that answers `unsupported` is left out unless all do; any other error fails the whole after all
   * were tried, so that a partial answer never passes for a complete one.
   */
  async everyone<T>(call: (runtime: Runtime) => Promise<T>): Promise<readonly T[]> {
    const settled = await Promise.allSettled(this.all.map(({ runtime }) => call(runtime)));
    const failures = settled.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    const serious = failures.find((error) => !isBerthError(error, "unsupported"));
    if (serious !== undefined) throw serious;
    const answers = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (answers.length === 0) throw failures[0];
    return answers;
  }

  /** The answer of the first child that knows the thing; the primary's `not_found` when none does. */
  async first<T>(call: (runtime: Runtime) => Promise<T>): Promise<T> {
    let unknown: unknown;
    for (const { runtime } of this.all) {
      try {
        return await call(runtime);
      } catch (error) {
        if (!isBerthError(error, "not_found") && !isBerthError(error, "unsupported")) throw error;
        if (unknown === undefined || isBerthError(unknown, "unsupported")) unknown = error;
      }
    }
    throw unknown;
  }
}
