/** The keeper process (docs/supervision.md): watches over the containers of a state directory until none needs it, then ends. */
import { Supervisor } from "./engine/supervisor.ts";
import { openNativeRuntime } from "./runtimes/native/open.ts";
import type { NativeRuntime } from "./runtimes/native/native-runtime.ts";

/** How long nothing must need it. */
const idleMs = 1_000;
/** Who does not lead by then is not needed: somebody else watches. */
const patienceMs = 5_000;

const [root, runDir, ociRuntime] = process.argv.slice(2);
let supervisor: Supervisor | undefined;
const onWarning = (text: string): void => void process.stderr.write(`${new Date().toISOString()} ${text}\n`);

function supervise(runtime: NativeRuntime): Supervisor {
  const facet = runtime.extras?.supervision;
  if (facet === undefined) throw new Error("the native backend offers no supervision");
  return (supervisor = new Supervisor({ runtime, supervision: facet, onWarning }));
}

const keeper = [process.execPath, process.argv[1] ?? ""];
const runtime = await openNativeRuntime({ root, runDir, ociRuntime, onWarning, supervise, keeper });
const impatience = new Promise<void>((resolve) => {
  setTimeout(() => supervisor?.isLeading !== true && resolve(), patienceMs).unref();
});
await Promise.race([supervisor?.idle(idleMs), impatience]);
await runtime.close();
