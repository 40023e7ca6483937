import type { CompleteSpec, ServiceSpec } from "./service-spec.ts";

/** A completed spec in the form a caller writes one, as inspect shows it. Values from a secret store or the engine's environment are left out. */
export function describedSpec(spec: CompleteSpec): ServiceSpec {
  const { deleteOnExit, stopGracePeriodMs, env, ...same } = spec;
  return {
    ...same,
    env: Object.fromEntries(Object.entries(env).filter(([, value]) => !value.startsWith("$S:") && !value.startsWith("$E:"))),
    stopGracePeriod: stopGracePeriodMs,
    lifecycle: { deleteOnExit },
  };
}
