/**
 * The thread that unpacks layers. It does one job at a time, and during `unpack` its root is the layer's directory, so
 * nothing else of it may touch files then.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { isBerthError, messageOf } from "../errors.ts";
import { syncfs } from "../internal/libc.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { Confinement } from "./confinement.ts";
import { follow, GrowthNotice } from "./growing-file.ts";
import { unpack } from "./unpack.ts";
import type { Answer, Job } from "./unpack-jobs.ts";

const confinement = new Confinement();

parentPort?.on("message", (job: Job) => {
  perform(job).then(
    (answer) => parentPort?.postMessage(answer),
    (error: unknown) => parentPort?.postMessage(failure(error)),
  );
});

async function perform(job: Job): Promise<Answer> {
  switch (job.kind) {
    case "unpack": {
      const notice = new GrowthNotice(job.growth);
      const unpacked = await confinement.within(job.directory, () => unpack(follow(job.fd, notice), job));
      return { ok: true, unpacked };
    }
    case "sync":
      syncFileSystem(job.path);
      return { ok: true };
    case "remove":
      rmSync(job.path, { recursive: true, force: true });
      return { ok: true };
    default:
      return job satisfies never;
  }
}

function syncFileSystem(path: string): void {
  const fd = openSync(path, "r");
  try {
    syncfs(fd);
  } finally {
    closeSync(fd);
  }
}

function failure(error: unknown): Answer {
  return { ok: false, code: isBerthError(error) ? error.code : "internal", message: messageOf(error), isDiskFull: isDiskFull(error) };
}
