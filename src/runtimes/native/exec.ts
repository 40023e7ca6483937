/** A further process in a running container, through `<oci runtime> exec` with its pipes or a pseudo-terminal of ours. */
import type { Readable } from "node:stream";
import { BerthError } from "../../errors.ts";
import { ExecChild } from "./exec-child.ts";
import { type ExecChunk, execDuplex, ExecOutput } from "./exec-output.ts";
import { type ExecRequest, type RunningExec, running } from "./exec-running.ts";
import { startOnConsoleSocket, startOnOwnTerminal } from "./exec-terminal.ts";

/** Starts the process. Throws only when the OCI runtime itself cannot be run; a missing command is exit code 127. */
export function startExec(request: ExecRequest): RunningExec {
  if (!request.tty) return startWithPipes(request);
  // runc hands a terminal over only to those who do not wait for the exit.
  return request.oci.name.startsWith("crun") ? startOnConsoleSocket(request) : startOnOwnTerminal(request);
}

function startWithPipes(request: ExecRequest): RunningExec {
  let output: ExecOutput | undefined;
  const exec = new ExecChild(request, [request.stdin ? "pipe" : "ignore", "pipe", "pipe"], (text) =>
    output?.push({ channel: "stderr", bytes: Buffer.from(`${text}\n`) }),
  );
  const { stdin } = exec.child;
  stdin?.on("error", () => {});
  const [stdout, stderr] = [must(exec.child.stdout), must(exec.child.stderr)];
  const sources: (readonly [Readable, ExecChunk["channel"]])[] = [];
  if (request.stdout) sources.push([stdout, "stdout"]);
  else stdout.resume();
  if (request.stderr) sources.push([stderr, "stderr"]);
  else stderr.resume();
  const read = new ExecOutput(sources);
  output = read;
  exec.ended.then(() => cutOff(read)).catch(() => read.close());
  const stream = execDuplex(read, {
    write: (chunk, done) => {
      if (stdin === null || stdin.destroyed) done();
      else stdin.write(chunk, () => done());
    },
    end: () => stdin?.end(),
    hangUp: () => stdin?.destroy(),
  });
  return running(exec, { stream, output: read, resize: () => {} });
}

/** A child that went to the background may hold the pipes: it is cut off 10 s after the exit (contract method 9). */
async function cutOff(output: ExecOutput): Promise<void> {
  const timer = setTimeout(() => output.close(), 10_000);
  await output.ended;
  clearTimeout(timer);
}

function must<T>(value: T | null): T {
  if (value === null) throw new BerthError("internal", "a child process came without its pipes");
  return value;
}
