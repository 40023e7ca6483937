import { spawn } from "node:child_process";
import { BerthError } from "../../errors.ts";
import { childEnvironment } from "../../internal/spawn.ts";
import { parseSyncPipe } from "../../oci/conmon.ts";

/**
 * Starts conmon, which creates the OCI container and stays as its parent. Resolves with the pid of the container's init,
 * which waits for the OCI start. Rejects with what the OCI runtime said when the create failed; conmon is gone then.
 */
export function startMonitor(conmon: string, args: readonly string[], cwd: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(conmon, args, {
      cwd,
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      env: { ...childEnvironment, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
      detached: true,
    });
    const [, , stderr, sync, start] = child.stdio;
    let text = "";
    let complaint = "";
    const fail = (reason: string, cause?: unknown): void => {
      reject(new BerthError("start_failed", reason, { reason, cause }));
    };
    stderr?.on("data", (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    child.once("error", (cause) => fail(`cannot run ${conmon}: ${cause.message}; install conmon`, cause));
    if (start !== null && start !== undefined && "end" in start) {
      start.on("error", () => {});
      start.end(Buffer.of(0));
    }
    if (sync === null || sync === undefined || !("setEncoding" in sync)) return;
    sync.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (!text.includes("\n")) return;
      const answer = parseSyncPipe(text);
      // The daemonised conmon keeps its end open for as long as the container lives: let go of ours.
      sync.destroy();
      stderr?.destroy();
      if ("pid" in answer) resolve(answer.pid);
      else fail(answer.message || complaint.trim() || "the oci runtime could not create the container");
    });
    sync.once("end", () => fail(complaint.trim() || "conmon ended without an answer"));
  });
}
