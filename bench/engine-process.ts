/** An engine as a process of its own, spoken to over its unix socket: dockerd, or `berth serve`. */
import { type StartedChild, startChild, untilReady } from "./child.ts";
import { type EngineClient, engineClient } from "./engine-client.ts";

export interface EngineProcess {
  readonly client: EngineClient;
  readonly socket: string;
  /** As in `DOCKER_HOST`. */
  readonly endpoint: string;
  /** Of the process that answers now. */
  readonly pid: number;
  /** Milliseconds from the start of that process to its first answer. */
  readonly readyMs: number;
  /** Ends the process and starts the next one on the same state. */
  restart(): Promise<void>;
  /** Ends it for good. Idempotent. */
  stop(): Promise<void>;
}

export interface EngineCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly socket: string;
  readonly log: string;
  /** After its last process has ended. */
  readonly cleanUp: () => void;
}

/** Starts the program and waits until it answers. */
export async function startEngine(o: EngineCommand): Promise<EngineProcess> {
  const client = engineClient(o.socket);
  let started: { readonly child: StartedChild; readonly readyMs: number };
  try {
    started = await launch(o, client);
  } catch (error) {
    client.close();
    o.cleanUp();
    throw error;
  }
  return {
    client,
    socket: o.socket,
    endpoint: `unix://${o.socket}`,
    get pid() {
      return started.child.pid;
    },
    get readyMs() {
      return started.readyMs;
    },
    restart: async () => {
      await started.child.stop();
      started = await launch(o, client);
    },
    stop: async () => {
      client.close();
      await started.child.stop();
      o.cleanUp();
    },
  };
}

async function launch(o: EngineCommand, client: EngineClient): Promise<{ child: StartedChild; readyMs: number }> {
  const begun = performance.now();
  const child = startChild(o.program, o.args, o.log);
  try {
    await untilReady(child, `${o.program} (log: ${o.log})`, () => client.call("GET", "/_ping"));
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { child, readyMs: performance.now() - begun };
}
