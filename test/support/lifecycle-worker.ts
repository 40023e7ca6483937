/**
 * A process that has a state directory open and does there what its parent asks: the clients of lifecycle-random.test.ts. It is a
 * process of its own because that is what users have, and because a test's own process follows every promise and is slow.
 * Arguments: state directory, image.
 */
import { isBerthError, openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import type { Answer, Operation } from "./state-machine.ts";

export interface LifecycleRequest {
  readonly call: number;
  readonly operation: Operation;
  readonly name: string;
}

/** `error`: what no state of a container explains. */
export interface LifecycleReply {
  readonly call: number;
  readonly answer: Answer | { readonly error: string };
}

const [root = "", image = ""] = process.argv.slice(2);
// Ends at once on the stop signal: a shell without a job is the one program of busybox that takes it as process 1.
const command = { entrypoint: ["sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait"], args: [] };

const answers: { readonly [operation in Operation]: (runtime: Runtime, name: string) => Promise<Answer> } = {
  create: ok((runtime, name) => runtime.createContainer(standaloneId(name), { image, networkMode: "none", command })),
  start: ok((runtime, name) => runtime.startContainer(standaloneId(name))),
  stop: ok((runtime, name) => runtime.stopContainer(standaloneId(name), 1_000)),
  kill: ok((runtime, name) => runtime.killContainer(standaloneId(name))),
  remove: ok((runtime, name) => runtime.removeContainer(standaloneId(name))),
  pause: ok((runtime, name) => runtime.pauseContainer(standaloneId(name))),
  unpause: ok((runtime, name) => runtime.unpauseContainer(standaloneId(name))),
  exec: ok((runtime, name) => runtime.exec(standaloneId(name), ["true"])),
  commit: ok((runtime, name) => runtime.commitContainer(standaloneId(name), { repo: "committed", tag: name })),
  "rename a": ok((runtime, name) => runtime.renameContainer(standaloneId(name), `${name}-a`)),
  "rename b": ok((runtime, name) => runtime.renameContainer(standaloneId(name), `${name}-b`)),
  "update 100": ok((runtime, name) => runtime.updateContainerResources(standaloneId(name), { pidsLimit: 100 })),
  "update 200": ok((runtime, name) => runtime.updateContainerResources(standaloneId(name), { pidsLimit: 200 })),
  inspect: async (runtime, name) => {
    const found = await runtime.inspectDetailed(standaloneId(name));
    const given = found.name === name ? "o" : found.name?.slice(name.length + 1);
    return `${given ?? "?"} ${found.spec?.resources?.pidsLimit ?? 0}`;
  },
  state: async (runtime, name) => {
    const { state } = await runtime.containerState(standaloneId(name));
    if (state === "failed" || state === "initializing") throw new Error(`${name} is ${state}`);
    return state;
  },
};

function ok(call: (runtime: Runtime, name: string) => Promise<unknown>): (runtime: Runtime, name: string) => Promise<Answer> {
  return async (runtime, name) => {
    await call(runtime, name);
    return "ok";
  };
}

async function answer(runtime: Runtime, { operation, name }: LifecycleRequest): Promise<LifecycleReply["answer"]> {
  try {
    return await answers[operation](runtime, name);
  } catch (error) {
    for (const code of ["conflict", "not_found", "invalid_spec"] as const) if (isBerthError(error, code)) return code;
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

const runtime = await openRuntime({ backend: "native", root, runDir: `${root}/run` });
process.on("message", (request: LifecycleRequest) => {
  void answer(runtime, request).then((reply) => process.send?.({ call: request.call, answer: reply } satisfies LifecycleReply));
});
process.once("disconnect", () => void runtime.close());
process.send?.("ready");
