/** The one place that knows the backends: names, how to load them, and why one was taken or refused. */
import { BerthError, messageOf } from "./errors.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { CompositeChild } from "./runtimes/composite/children.ts";

export interface OpenOptions {
  /** `auto` takes the first backend that works here. Default `auto`. */
  readonly backend?: BackendName | "auto" | undefined;
  /** State that outlives a reboot. Default `/var/lib/berth`. */
  readonly root?: string | undefined;
  /** State that does not. */
  readonly runDir?: string | undefined;
  /** `crun`, `runc` or the path of any OCI runtime. */
  readonly ociRuntime?: string | undefined;
  /** Of the backend `composite`: what it stands in front of, the primary first. Default: `native` alone. */
  readonly children?: readonly BackendName[] | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

export type BackendName = "native" | "mock" | "composite";

export interface BackendChoice {
  readonly backend: BackendName;
  /** One sentence per backend that was looked at. */
  readonly reasons: readonly string[];
}

export type OpenedRuntime = Runtime & { readonly choice: BackendChoice };

type Opener = (o: OpenOptions) => Promise<Runtime>;

const backends: Readonly<Record<BackendName, Opener>> = {
  native: async (o) => (await import("./runtimes/native/open.ts")).openNativeRuntime(o),
  mock: async () => (await import("./runtimes/mock/index.ts")).createMockRuntime(),
  composite: openComposite,
};

/** Where state goes that outlives a reboot. */
const defaultRoot = "/var/lib/berth";

async function openComposite(o: OpenOptions): Promise<Runtime> {
  const { openCompositeRuntime } = await import("./runtimes/composite/open.ts");
  const names = o.children ?? ["native"];
  if (names.includes("composite")) throw new BerthError("invalid_spec", "a composite cannot stand in front of a composite");
  const children: CompositeChild[] = [];
  try {
    for (const name of names) children.push({ name, runtime: await openRuntime({ ...o, backend: name }), os: ["linux"] });
    return await openCompositeRuntime({ children, root: o.root ?? defaultRoot });
  } catch (error) {
    await Promise.allSettled(children.map(({ runtime }) => runtime.close()));
    throw error;
  }
}

/** Backends that `auto` tries, in this order. The mock is never chosen by itself. */
const automatic: readonly BackendName[] = ["native"];

/**
 * Opens a backend. `choice` on the result says which one and why. Throws `configuration` with the reason of every
 * candidate when none works, and `invalid_spec` for an unknown name.
 */
export async function openRuntime(o: OpenOptions = {}): Promise<OpenedRuntime> {
  const wanted = o.backend ?? "auto";
  if (wanted !== "auto") {
    const open = Object.hasOwn(backends, wanted) ? backends[wanted] : undefined;
    if (open === undefined) {
      throw new BerthError("invalid_spec", `unknown backend ${JSON.stringify(wanted)}; known are auto, ${Object.keys(backends).join(", ")}`);
    }
    return withChoice(await open(o), { backend: wanted, reasons: [`${wanted}: asked for`] });
  }
  const reasons: string[] = [];
  for (const backend of automatic) {
    try {
      const runtime = await backends[backend](o);
      return withChoice(runtime, { backend, reasons: [...reasons, `${backend}: works on this host`] });
    } catch (error) {
      reasons.push(`${backend}: ${messageOf(error)}`);
    }
  }
  throw new BerthError("configuration", `no backend works on this host: ${reasons.join("; ")}; run "berth doctor" for the remedies`);
}

function withChoice(runtime: Runtime, choice: BackendChoice): OpenedRuntime {
  return Object.assign(runtime, { choice });
}
