/** A connection to an engine on another host: `ssh host docker system dial-stdio`, its pipes as one stream. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { Duplex, type Readable, type Writable } from "node:stream";
import type { EngineEndpoint } from "./endpoint.ts";

const stderrBytes = 2000;

export type SshEndpoint = Extract<EngineEndpoint, { kind: "ssh" }>;

/** What ssh is called with, as the docker CLI does. */
export function sshArguments(endpoint: SshEndpoint): readonly string[] {
  const login = endpoint.user === undefined ? [] : ["-l", endpoint.user];
  const port = endpoint.port === undefined ? [] : ["-p", String(endpoint.port)];
  const host = endpoint.socketPath === undefined ? [] : ["--host", `unix://${endpoint.socketPath}`];
  return ["-o", "ConnectTimeout=30", "-T", ...login, ...port, "--", endpoint.host, "docker", ...host, "system", "dial-stdio"];
}

/** One ssh process. Destroying it ends the process; ending it closes the engine's input only. */
export class SshConnection extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #stderr = "";

  constructor(endpoint: SshEndpoint, program = "ssh") {
    super({ allowHalfOpen: true });
    this.#child = spawn(program, sshArguments(endpoint), { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.#child;
    stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr = (this.#stderr + text).slice(-stderrBytes)));
    stdin.on("error", () => {});
    stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) stdout.pause();
    });
    stdout.on("error", (error) => this.destroy(error));
    this.#child.once("error", (error) => this.destroy(new Error(`cannot run ssh: ${error.message}`, { cause: error })));
    // `close` comes after the last output, so that nothing is cut off and stderr is whole.
    this.#child.once("close", (code) => this.#ended(code));
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    // A pipe that broke is told by the end of ssh, which says why.
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    this.#child.stdout.destroy();
    this.#child.stdin.destroy();
    done(error);
  }

  /** What `http.Agent` does to sockets it keeps. */
  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    this.#each((handle) => handle.ref());
    return this;
  }

  unref(): this {
    this.#each((handle) => handle.unref());
    return this;
  }

  #each(act: (handle: { ref(): unknown; unref(): unknown }) => void): void {
    act(this.#child);
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      if (isHandle(pipe)) act(pipe);
    }
  }

  #ended(code: number | null): void {
    if (code === 0 || this.destroyed) {
      this.push(null);
    } else {
      const said = this.#stderr.trim();
      this.destroy(new Error(`ssh ended with ${code === null ? "a signal" : `exit code ${code}`}${said === "" ? "" : `: ${said}`}`));
    }
  }
}

function isHandle(pipe: object): pipe is { ref(): unknown; unref(): unknown } {
  return "ref" in pipe && "unref" in pipe;
}
