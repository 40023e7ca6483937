import { existsSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import type { Runtime } from "../runtime/runtime.ts";
import { failureLines } from "./failure.ts";
import type { CliHost } from "./host.ts";
import { interruption, type Interruption } from "./interruption.ts";

/** Flags that stand before the command. */
export interface GlobalOptions {
  readonly root?: string | undefined;
  readonly runDir?: string | undefined;
  readonly runtime?: string | undefined;
  readonly backend?: string | undefined;
  readonly debug?: boolean | undefined;
}

/** Where `berth serve` listens by default, below the run directory. */
const socketName = "docker.sock";

/** The engine to talk to: the one that was asked for, else a daemon on our own socket that answers. `undefined`: embedded. */
async function daemonEndpoint(asked: string | undefined, runDir = "/run/berth"): Promise<string | undefined> {
  if (asked !== undefined) return asked;
  const socket = join(runDir, socketName);
  if (!existsSync(socket)) return undefined;
  const isListening = await new Promise<boolean>((resolve) => {
    const connection = createConnection(socket);
    connection.once("connect", () => resolve(true)).once("error", () => resolve(false));
    connection.once("connect", () => connection.destroy());
  });
  return isListening ? `unix://${socket}` : undefined;
}

/** What a command has at hand. One is made for each call of the command line. */
export class CliContext implements AsyncDisposable {
  readonly host: CliHost;
  /** What the process will answer; commands set it. */
  exitCode = 0;
  globals: GlobalOptions = {};
  #opened: Promise<Runtime> | undefined;
  #interruption: Interruption | undefined;

  constructor(host: CliHost) {
    this.host = host;
  }

  /** The runtime of this call, opened on first use and closed at the end. */
  runtime(o: { readonly ociRuntime?: string | undefined } = {}): Promise<Runtime> {
    this.#opened ??= this.#open(o);
    return this.#opened;
  }

  async #open(o: { readonly ociRuntime?: string | undefined }): Promise<Runtime> {
    const { env } = this.host;
    const backend = this.globals.backend ?? (env.BERTH_BACKEND || undefined);
    const runDir = this.globals.runDir ?? (env.BERTH_RUN_DIR || undefined);
    const endpoint = backend === undefined ? await daemonEndpoint(env.BERTH_HOST || undefined, runDir) : undefined;
    if (endpoint !== undefined) return await this.host.openRuntime({ backend: "docker", endpoint, onWarning: (text) => this.warn(text) });
    return await this.host.openRuntime({
      backend: backendName(backend ?? "auto"),
      root: this.globals.root ?? (env.BERTH_ROOT || undefined),
      runDir,
      ociRuntime: o.ociRuntime ?? this.globals.runtime ?? (env.BERTH_OCI_RUNTIME || undefined),
      onWarning: (text) => this.warn(text),
    });
  }

  /** Aborts on SIGINT, SIGTERM or SIGHUP, which from then on no longer end the process by themselves. */
  interruption(): Interruption {
    this.#interruption ??= interruption(this.host);
    return this.#interruption;
  }

  /** From here on signals mean something else; whoever calls has taken them over. */
  endInterruption(): void {
    this.#interruption?.[Symbol.dispose]();
  }

  print(text: string): void {
    this.host.stdout.write(`${text}\n`);
  }

  warn(text: string): void {
    this.host.stderr.write(`berth: warning: ${text}\n`);
  }

  /** Says what went wrong with one of several things; the command goes on and ends with `code`. */
  fail(thrown: unknown, code = 1): void {
    this.host.stderr.write(`${failureLines(thrown, this.globals.debug === true).join("\n")}\n`);
    this.exitCode = code;
  }

  /** Does `work` for every name, in order; a failure of one is told and does not stop the others. */
  async each(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
    for (const name of names) {
      try {
        await work(name);
      } catch (error) {
        if (this.#interruption?.signal.aborted) throw error;
        this.fail(error);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#interruption?.[Symbol.dispose]();
    const runtime = await this.#opened?.catch(() => undefined);
    await runtime?.close();
  }
}

/** Unknown names pass: `openRuntime` knows the backends and says so. */
function backendName(name: string): "auto" | "native" | "mock" {
  return name as "auto" | "native" | "mock";
}
