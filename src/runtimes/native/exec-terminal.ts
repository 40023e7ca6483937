/** An exec at a terminal: the pty inside the container itself where the OCI runtime hands it over, else one of ours before it. */
import { closeSync } from "node:fs";
import { join } from "node:path";
import { ReadStream } from "node:tty";
import { DescriptorSocket } from "../../internal/descriptor-socket.ts";
import { makeRaw, openpty, pendingBytes, setWindowSize } from "../../internal/libc.ts";
import { type ExecRequest, type RunningExec, running } from "./exec-running.ts";
import { ExecChild } from "./exec-child.ts";
import { execDuplex, ExecOutput } from "./exec-output.ts";

/** What another process still holds of a terminal would keep the exec from ending. */
const terminalEndMs = 1_000;

/** crun gives the terminal the size asked for, then sends it here; meanwhile the program is on its way. */
export function startOnConsoleSocket(request: ExecRequest): RunningExec {
  const path = join(request.bundle, `tty-${request.name}`);
  const socket = new DescriptorSocket(path);
  const output = new ExecOutput([], { expects: 1 });
  const exec = new ExecChild({ ...request, consoleSocket: path }, ["ignore", "ignore", "ignore"], (text) =>
    output.push({ channel: "stdout", bytes: Buffer.from(`${text}\r\n`) }),
  );
  let master: number | undefined;
  let size: readonly [number, number] | undefined;
  const terminal = receive(socket, exec).then((fd) => {
    const stream = fd === undefined ? undefined : new ReadStream(fd);
    master = fd;
    if (fd !== undefined && size !== undefined) setWindowSize(fd, ...size);
    stream?.once("close", () => (master = undefined));
    output.add(stream, "stdout");
    return stream;
  });
  exec.ended
    .catch(() => {})
    .then(() => terminal)
    .then(() => closeLater(output))
    .catch(() => output.close());
  const stream = execDuplex(output, {
    write: (chunk, done) => {
      void terminal.then((open) => {
        if (request.stdin && open !== undefined && !open.destroyed) open.write(chunk, () => done());
        else done();
      });
    },
    end: () => {},
    hangUp: () => void terminal.then((open) => open?.destroy()),
  });
  const resize = (rows: number, cols: number): void => {
    if (rows <= 0 || cols <= 0) return;
    size = [rows, cols];
    if (master !== undefined) setWindowSize(master, rows, cols);
  };
  return running(exec, { stream, output, resize });
}

/** `undefined` when the program could not be started. */
async function receive(socket: DescriptorSocket, exec: ExecChild): Promise<number | undefined> {
  let hasEnded = false;
  const mark = (): void => void (hasEnded = true);
  exec.ended.then(mark, mark);
  try {
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs + 1, 10)) {
      const fd = socket.tryReceive();
      if (fd !== undefined || hasEnded) return fd;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  } finally {
    socket.close();
  }
}

async function closeLater(output: ExecOutput): Promise<void> {
  const timer = setTimeout(() => output.close(), terminalEndMs);
  await output.ended;
  clearTimeout(timer);
}

export function startOnOwnTerminal(request: ExecRequest): RunningExec {
  const { master, slave } = openpty();
  // The pty inside the container does the line editing; the OCI runtime makes ours raw too, but only after a while.
  makeRaw(slave);
  // The OCI runtime gives the inner one the size of ours.
  if (request.size !== undefined) setWindowSize(master, request.size.rows, request.size.cols);
  let output: ExecOutput | undefined;
  const exec = new ExecChild(request, [slave, slave, slave], (text) => output?.push({ channel: "stdout", bytes: Buffer.from(`${text}\r\n`) }));
  const terminal = new ReadStream(master);
  const read = new ExecOutput([[terminal, "stdout"]]);
  output = read;
  exec.ended
    .catch(() => {})
    .then(() => closeWhenDrained(master, slave, terminal))
    .then(() => closeLater(read))
    .catch(() => read.close());
  const stream = execDuplex(read, {
    write: (chunk, done) => {
      if (request.stdin && !terminal.destroyed) terminal.write(chunk, () => done());
      else done();
    },
    end: () => {},
    hangUp: () => terminal.destroy(),
  });
  let size: readonly [number, number] | undefined;
  const applySize = (): void => {
    if (size === undefined || terminal.destroyed) return;
    setWindowSize(master, size[0], size[1]);
    exec.child.kill("SIGWINCH");
  };
  exec.child.once("spawn", applySize);
  const resize = (rows: number, cols: number): void => {
    if (rows <= 0 || cols <= 0) return;
    size = [rows, cols];
    applySize();
  };
  return running(exec, { stream, output: read, resize });
}

/** How often, and how often in a row, a pty must be found empty before its last writer is let go. */
const [emptyCheckMs, emptyChecks] = [5, 2];

/**
 * Our own end of the slave stays open until all that was written has been read: when the last one closes, the kernel answers
 * EIO, and what the reader has not fetched by then is lost to it.
 */
async function closeWhenDrained(master: number, slave: number, terminal: ReadStream): Promise<void> {
  for (let empty = 0; empty < emptyChecks && !terminal.destroyed; empty = terminal.destroyed || pendingBytes(master) > 0 ? 0 : empty + 1) {
    await new Promise((resolve) => setTimeout(resolve, emptyCheckMs));
  }
  closeSync(slave);
}
