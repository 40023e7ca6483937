import { type Capabilities, type Capability, type RuntimeMethod, runtimeMethods } from "../../runtime/capabilities.ts";

/** For each method the word of the primary, the first of `all`, or that of the first other child which can do it. */
export function compositeCapabilities(all: readonly Capabilities[]): Capabilities {
  const of = (method: RuntimeMethod): Capability => {
    const words = all.map((child) => child[method]);
    return words.find(({ support }) => support !== "unsupported") ?? words[0] ?? { support: "unsupported", reason: "there is no backend behind it" };
  };
  return Object.fromEntries(runtimeMethods.map((method) => [method, of(method)])) as Capabilities;
}
