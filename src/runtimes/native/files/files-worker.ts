/**
 * The thread that reads and writes inside containers, one job at a time. During a job its root is the container's, and
 * nothing here is asynchronous: only this thread's own calls are confined.
 */
import { closeSync, constants } from "node:fs";
import { parentPort } from "node:worker_threads";
import { listChanges, writeLayer } from "../../../archive/layer-diff.ts";
import { TreeTar } from "../../../archive/tree-walk.ts";
import { isBerthError, messageOf } from "../../../errors.ts";
import { S_IF, S_IFMT, statAt } from "../../../internal/at.ts";
import { ByteRing } from "../../../internal/byte-ring.ts";
import { type DiffTask, type DiffView, type FilesAnswer, type FilesJob, type FilesTask, noMoreJobs } from "./jobs.ts";
import { extract } from "./extract.ts";
import { entryName, openTarget, pathStat } from "./path-target.ts";
import { openLayers, ViewThread } from "./root-view.ts";

const thread = new ViewThread();
process.once("exit", () => thread.close());

parentPort?.on("message", (job: FilesJob | typeof noMoreJobs) => {
  if (job === noMoreJobs) return parentPort?.close();
  try {
    perform(job);
    answer({ kind: "done" });
  } catch (error) {
    answer(failure(error));
  }
  try {
    thread.leave();
    answer({ kind: "left" });
  } catch (error) {
    // A thread that cannot come back out must not be used again: ending it ends its namespace.
    throw new Error(`cannot leave a container's view: ${messageOf(error)}`);
  }
});

function answer(what: FilesAnswer): void {
  parentPort?.postMessage(what);
}

function failure(error: unknown): FilesAnswer {
  if (!isBerthError(error)) return { kind: "failed", code: "internal", message: messageOf(error), fields: {} };
  const { cause: _, ...fields } = { cause: undefined, ...error.fields };
  return { kind: "failed", code: error.code, message: error.message, fields };
}

function perform(job: FilesJob): void {
  if ("diff" in job) return compare(job.diff, job.task);
  const rootFd = thread.enter(job.view);
  try {
    run(rootFd, job.task);
  } finally {
    closeSync(rootFd);
  }
}

function compare(view: DiffView, task: DiffTask): void {
  const places = { ...openLayers(view), mountPoints: view.mountPoints };
  try {
    if (task.kind === "changes") return answer({ kind: "ready", beginning: { changes: listChanges(places) } });
    answer({ kind: "ready", beginning: {} });
    const ring = new ByteRing(task.ring);
    unbroken(ring, () => writeLayer(ring, places, warnSkipped));
  } finally {
    closeSync(places.upper);
    closeSync(places.lower);
  }
}

function warnSkipped(name: string, why: string): void {
  answer({ kind: "warning", text: `${Buffer.from(name, "latin1").toString()} ${why} and was left out` });
}

/** The ring ends when all of it is written, and breaks when it is not. */
function unbroken(ring: ByteRing, write: () => void): void {
  try {
    write();
    ring.end();
  } catch (error) {
    ring.break();
    throw error;
  }
}

function run(rootFd: number, task: FilesTask): void {
  switch (task.kind) {
    case "head":
      return withTarget(rootFd, task.path, (fd) => answer({ kind: "ready", beginning: { stat: pathStat(rootFd, fd, task.path) } }));
    case "get":
      return withTarget(rootFd, task.path, (fd) => {
        answer({ kind: "ready", beginning: { stat: pathStat(rootFd, fd, task.path) } });
        archive(new ByteRing(task.ring), (tar) => addTarget(tar, fd, Buffer.from(entryName(task.path)).toString("latin1")));
      });
    case "export":
      answer({ kind: "ready", beginning: { stat: pathStat(rootFd, rootFd, "/") } });
      return archive(new ByteRing(task.ring), (tar) => tar.contents(rootFd, ""));
    case "put":
      return extract(rootFd, task, new ByteRing(task.ring), () => answer({ kind: "ready", beginning: { stat: pathStat(rootFd, rootFd, "/") } }));
    default:
      return task satisfies never;
  }
}

function withTarget(rootFd: number, path: string, use: (fd: number) => void): void {
  const fd = openTarget(rootFd, path);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

function archive(ring: ByteRing, fill: (tar: TreeTar) => void): void {
  unbroken(ring, () => {
    const tar = new TreeTar(ring, { onSkip: warnSkipped });
    fill(tar);
    tar.finish();
  });
}

/** `fd` is O_PATH: what is to be read is opened again, and nothing else is ever opened. */
function addTarget(tar: TreeTar, fd: number, name: string): void {
  const status = statAt(fd, "");
  const kind = status.mode & S_IFMT;
  if (kind !== S_IF.file && kind !== S_IF.directory) return tar.special(fd, "", name, status);
  const readable = thread.reopen(fd, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (kind === S_IF.file) tar.file(readable, name);
    else tar.directory(readable, name);
  } finally {
    closeSync(readable);
  }
}
