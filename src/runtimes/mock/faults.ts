import type { RuntimeMethod } from "../../runtime/capabilities.ts";

export type Fault =
  | { readonly kind: "fail"; readonly error: Error }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "drop"; readonly items: number; readonly error: Error };

/** Faults a test has put before the next calls of a method. */
export class Faults {
  readonly calls: RuntimeMethod[] = [];
  readonly #waiting = new Map<RuntimeMethod, Fault[]>();

  add(method: RuntimeMethod, fault: Fault): void {
    this.#waiting.set(method, [...(this.#waiting.get(method) ?? []), fault]);
  }

  /** Notes the call and takes the fault meant for it. */
  take(method: RuntimeMethod): Fault | undefined {
    this.calls.push(method);
    return this.#waiting.get(method)?.shift();
  }
}

/** The stream, broken off by the fault. */
export async function* dropped<T>(source: AsyncGenerator<T>, items: number, error: Error): AsyncGenerator<T> {
  try {
    for (let left = items; left > 0; left--) {
      const step = await source.next();
      if (step.done === true) return;
      yield step.value;
    }
    throw error;
  } finally {
    await source.return(undefined);
  }
}
