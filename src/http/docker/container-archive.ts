/** `docker cp` and `docker export`: tar streams of files inside. */
import { encodePathStat, pathStatHeader } from "../../docker-api/path-stat.ts";
import { isBerthError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { boolParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { refOf, withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";

export async function headArchive(engine: DockerEngine, call: Call): Promise<void> {
  const path = pathParam(call);
  await inContainer(engine, call, path, async (id) => {
    call.setHeader(pathStatHeader, encodePathStat(await engine.runtime.archiveHead(id, path)));
    call.empty(200);
  });
}

export async function getArchive(engine: DockerEngine, call: Call): Promise<void> {
  const path = pathParam(call);
  await inContainer(engine, call, path, async (id) => {
    const stat = await engine.runtime.archiveHead(id, path);
    const tar = await engine.runtime.archiveGet(id, path, { signal: call.signal });
    call.setHeader(pathStatHeader, encodePathStat(stat));
    await call.stream("application/x-tar", tar);
  });
}

export async function putArchive(engine: DockerEngine, call: Call): Promise<void> {
  const path = pathParam(call);
  const options = { noOverwriteDirNonDir: boolParam(call.query, "noOverwriteDirNonDir"), copyUidGid: boolParam(call.query, "copyUIDGID") };
  await inContainer(engine, call, path, async (id) => {
    await engine.runtime.archivePut(id, path, call.body, options, { signal: call.signal });
    call.empty(200);
  });
}

export async function exportContainer(engine: DockerEngine, call: Call): Promise<void> {
  await withContainer(engine, refOf(call), async ({ id }) => {
    await call.stream("application/octet-stream", await engine.runtime.exportContainerFs(id, { signal: call.signal }));
  });
}

function pathParam(call: Call): string {
  const path = call.query.get("path");
  if (path === null || path === "") throw new HttpError(400, "bad parameter: path cannot be empty");
  if (path.includes("\0")) throw new HttpError(400, "bad parameter: path must not contain a NUL character");
  return path;
}

async function inContainer(
  engine: DockerEngine,
  call: Call,
  path: string,
  work: (id: Parameters<DockerEngine["runtime"]["archiveHead"]>[0]) => Promise<void>,
): Promise<void> {
  const ref = refOf(call);
  const found = await engine.containers.find(ref);
  try {
    await work(found.id);
  } catch (error) {
    if (!isBerthError(error, "not_found") || call.isAnswered) throw error;
    const exists = await engine.runtime.containerState(found.id).then(
      () => true,
      () => false,
    );
    throw new HttpError(404, exists ? `Could not find the file ${path} in container ${ref}` : `No such container: ${ref}`, { cause: error });
  }
}
