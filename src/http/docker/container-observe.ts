/** Top, changes and port. */
import type { FilesystemChange } from "../../docker-api/containers.ts";
import { isBerthError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { HttpError } from "../status.ts";
import { refOf, withContainer } from "./container-ref.ts";
import { portMap } from "./container-networks.ts";
import type { DockerEngine } from "./engine.ts";

export async function topContainer(engine: DockerEngine, call: Call): Promise<void> {
  const args = (call.query.get("ps_args") || "-ef").split(/\s+/).filter((word) => word !== "");
  await withContainer(engine, refOf(call), async ({ id, hexId }) => {
    try {
      const { titles, processes } = await engine.runtime.topContainer(id, args);
      call.answer(200, { Titles: titles, Processes: processes });
    } catch (error) {
      throw isBerthError(error, "conflict") && /not running/.test(error.message)
        ? new HttpError(409, `container ${hexId} is not running`, { cause: error })
        : error;
    }
  });
}

const kinds: Readonly<Record<string, FilesystemChange["Kind"]>> = { modified: 0, added: 1, deleted: 2 };

export async function containerChanges(engine: DockerEngine, call: Call): Promise<void> {
  const changes = await withContainer(engine, refOf(call), ({ id }) => engine.runtime.changesContainer(id));
  const report = changes.map(({ path, kind }): FilesystemChange => ({ Path: path, Kind: kinds[kind] ?? 0 }));
  call.answer(200, report.length === 0 ? null : report);
}

export async function containerPorts(engine: DockerEngine, call: Call): Promise<void> {
  const ports = await withContainer(engine, refOf(call), ({ id }) => engine.runtime.portMappingsContainer(id));
  call.answer(200, { Ports: portMap(ports, []) });
}
