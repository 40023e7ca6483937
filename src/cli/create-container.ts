import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { publicId, createStandalone } from "../engine/standalone.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { ServiceSpec } from "../spec/service-spec.ts";
import type { CliContext } from "./context.ts";
import { ensureImage } from "./ensure-image.ts";
import { CliError, engineFailureCode } from "./failure.ts";
import { type ContainerOptions, targetPlatform, toServiceSpec } from "./flags/container-options.ts";
import { parseVolume } from "./flags/volumes.ts";

export interface CreatedContainer {
  readonly id: ContainerId;
  /** 64 hex digits. */
  readonly publicId: string;
  readonly spec: ServiceSpec;
}

/** What `create` is, and the first half of `run`: pull if need be, create, tell warnings, write the id file. */
export async function createContainer(
  context: CliContext,
  runtime: Runtime,
  options: ContainerOptions,
  image: string,
  args: readonly string[],
): Promise<CreatedContainer> {
  const { signal } = context.interruption();
  const spec = toServiceSpec(options, image, args, context.host.env);
  refuseTakenIdFile(options.cidfile);
  makeMissingBindSources(options.volume ?? []);
  const output = options.quiet ? undefined : context.host.stderr;
  await ensureImage(runtime, options.pull, { image, platform: targetPlatform(options), output, signal });
  signal.throwIfAborted();
  const id = await createStandalone(runtime, spec, { name: options.name, signal });
  const { warnings = [] } = await runtime.inspectDetailed(id);
  for (const warning of warnings) context.warn(warning);
  const hex = await publicId(runtime, id);
  if (options.cidfile !== undefined) writeFileSync(options.cidfile, hex, { flag: "wx" });
  return { id, publicId: hex, spec };
}

function refuseTakenIdFile(path: string | undefined): void {
  if (path !== undefined && existsSync(path)) {
    throw new CliError(`the container id file ${path} exists; make sure its container is not running, then delete it`, engineFailureCode);
  }
}

/** Docker makes the host directory of a `--volume` that is not there; a `--mount` must exist. */
function makeMissingBindSources(volumes: readonly string[]): void {
  for (const volume of volumes.map(parseVolume)) {
    if (volume.type === "bind" && !existsSync(volume.source)) mkdirSync(volume.source, { recursive: true });
  }
}
