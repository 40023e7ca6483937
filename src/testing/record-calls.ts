import { type RuntimeMethod, runtimeMethods } from "../runtime/capabilities.ts";
import type { Runtime } from "../runtime/runtime.ts";

const methods: ReadonlySet<PropertyKey> = new Set(runtimeMethods);

/** The same runtime; `seen` learns which of the 49 methods fulfilled at least once. */
export function recordCalls(runtime: Runtime, seen: Set<RuntimeMethod>): Runtime {
  return new Proxy(runtime, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args);
        if (isMethod(name) && result instanceof Promise) {
          result.then(
            () => seen.add(name),
            () => {},
          );
        }
        return result;
      };
    },
  });
}

function isMethod(name: PropertyKey): name is RuntimeMethod {
  return methods.has(name);
}
