/** The one place that knows the backends: names, how to load them, and why one was taken or refused. */
import { Supervisor } from "./engine/supervisor.ts";
import { BerthError, messageOf } from "./errors.ts";
import type { Capabilities } from "./runtime/capabilities.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { NativeOptions, NativeSupervisor } from "./runtimes/native/open.ts";
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
  /** Of the backend `composite`: what it stands in front of, the primary first. Default `native` and `docker`. */
  readonly children?: readonly BackendName[] | undefined;
  /** Of the backend `docker`: as in `DOCKER_HOST`. Default: Docker's environment variables, its context, the usual sockets. */
  readonly endpoint?: string | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
  /**
   * Restart policies and health checks: acted upon by one of the processes that have the state open, this one included, and by a
   * process of its own when the last of them closes. Default true; false leaves both to others.
   */
  readonly supervise?: boolean | undefined;
  /** This is the start of a daemon: containers with the policy `always` come back although the user stopped them (contract 4.2). */
  readonly isBoot?: boolean | undefined;
}

export type BackendName = "native" | "docker" | "mock" | "composite";

export interface BackendChoice {
  readonly backend: BackendName;
  /** One sentence per backend that was looked at. */
  readonly reasons: readonly string[];
}

export type OpenedRuntime = Runtime & { readonly choice: BackendChoice };

type Opener = (o: OpenOptions) => Promise<Runtime>;

const backends: Readonly<Record<BackendName, Opener>> = {
  native: async ({ supervise: isWanted, ...o }) =>
    (await import("./runtimes/native/open.ts")).openNativeRuntime({ ...o, ...(isWanted === false ? {} : supervision(o)) }),
  docker: async ({ endpoint, onWarning }) => (await import("./runtimes/docker/open.ts")).openDockerRuntime({ endpoint, onWarning }),
  mock: async (o) => {
    const runtime = (await import("./runtimes/mock/index.ts")).createMockRuntime();
    return o.supervise === false ? runtime : superviseUntilClosed(runtime);
  },
  composite: openComposite,
};

/** Where state goes that outlives a reboot. */
const defaultRoot = "/var/lib/berth";

async function openComposite(o: OpenOptions): Promise<Runtime> {
  const { openCompositeRuntime } = await import("./runtimes/composite/open.ts");
  const names = o.children ?? ["native", "docker"];
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

/** How a native runtime is watched over. */
function supervision(o: Pick<OpenOptions, "onWarning" | "isBoot"> = {}): Pick<NativeOptions, "supervise" | "keeper"> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return {
    supervise: (runtime) => supervise(runtime, o.onWarning, o.isBoot),
    keeper: [process.execPath, new URL(`./keeper.${extension}`, import.meta.url).pathname],
  };
}

/** For a backend in this very process: it is watched over until it is closed. */
export function superviseUntilClosed<T extends Runtime>(runtime: T): T {
  const supervisor = supervise(runtime, undefined);
  const close = runtime.close.bind(runtime);
  return Object.assign(runtime, {
    close: async (): Promise<void> => {
      await supervisor.close();
      await close();
    },
  });
}

function supervise(runtime: Runtime, onWarning: OpenOptions["onWarning"], isBoot?: boolean): NativeSupervisor {
  const facet = runtime.extras?.supervision;
  return facet === undefined ? { isLeading: false, close: async () => {} } : new Supervisor({ runtime, supervision: facet, onWarning, isBoot });
}

/** Backends that `auto` tries, in this order. The mock is never chosen by itself. */
const automatic: readonly BackendName[] = ["native", "docker"];

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

/** What each backend can do, from its own data, without opening it. The composite's column is that of its default children. */
export async function backendCapabilities(): Promise<Readonly<Record<BackendName, Capabilities>>> {
  const { nativeCapabilities: native } = await import("./runtimes/native/native-runtime.ts");
  const { dockerCapabilities: docker } = await import("./runtimes/docker/docker-runtime.ts");
  const { capabilities: mock } = (await import("./runtimes/mock/index.ts")).createMockRuntime();
  const { compositeCapabilities } = await import("./runtimes/composite/capabilities.ts");
  return { native, docker, composite: compositeCapabilities([native, docker]), mock };
}
