import { posix } from "node:path";
import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import { isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { PathStat } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { CliContext } from "../context.ts";
import { readHost, writeHost } from "../copy/copy-thread.ts";
import { absolute, destinationPlace, sourcePlace } from "../copy/host-place.ts";
import { archiveBase, type CopyRequest, copyRequest, type Place, planCopy } from "../copy/operand.ts";
import { CliError } from "../failure.ts";
import { decimalSize } from "../format/size.ts";
import { writeAll } from "../terminal/write.ts";

interface CpFlags {
  readonly archive?: boolean;
  readonly followLink?: boolean;
  readonly quiet?: boolean;
}

export function cpCommand(context: CliContext): Command {
  return new Command("cp")
    .argument("<source>", "container:path, a path of this host, or - for a tar from stdin")
    .argument("<destination>", "likewise; - writes a tar to stdout")
    .option("-a, --archive", "keep owners")
    .option("-L, --follow-link", "copy what a symbolic link leads to")
    .option("-q, --quiet", "say nothing when it is done")
    .action(async (source: string, destination: string, flags: CpFlags) => {
      const request = copyRequest(source, destination);
      const runtime = await context.runtime();
      const name = request.direction === "in" ? request.to.container : request.from.container;
      const { containerId } = await resolveContainer(runtime, name);
      const bytes =
        request.direction === "in" ? await copyIn(context, runtime, containerId, request, flags) : await copyOut(context, runtime, containerId, request, flags);
      if (bytes !== undefined && !flags.quiet) context.host.stderr.write(`Successfully copied ${decimalSize(bytes)} to ${destinationText(request)}\n`);
    });
}

function destinationText({ to }: CopyRequest): string {
  if (to.kind === "container") return `${to.container}:${to.path}`;
  return to.kind === "local" ? absolute(to.path) : "-";
}

/** `undefined` where nothing is to be said. */
async function copyIn(
  context: CliContext,
  runtime: Runtime,
  id: ContainerId,
  request: CopyRequest & { readonly direction: "in" },
  flags: CpFlags,
): Promise<number | undefined> {
  const { signal } = context.interruption();
  const destination = await containerPlace(runtime, id, request.to.path);
  const options = { noOverwriteDirNonDir: true, copyUidGid: flags.archive === true };
  if (request.from.kind === "stream") {
    if (!destination.isDirectory) throw new CliError(`destination "${request.to.container}:${request.to.path}" must be a directory`);
    await runtime.archivePut(id, destination.path, context.host.stdin, options, { signal });
    return undefined;
  }
  const source = sourcePlace(absolute(request.from.path), flags.followLink === true);
  const plan = planCopy(source, destination);
  const { tar, bytes } = readHost({ path: source.path, name: plan.name ?? archiveBase(source.path), follow: source.follows });
  await runtime.archivePut(id, plan.directory, tar, options, { signal });
  return await bytes;
}

async function copyOut(
  context: CliContext,
  runtime: Runtime,
  id: ContainerId,
  request: CopyRequest & { readonly direction: "out" },
  flags: CpFlags,
): Promise<number | undefined> {
  const { signal } = context.interruption();
  const written = request.from.path;
  const path = flags.followLink ? await followed(runtime, id, written) : written;
  if (request.to.kind === "stream") {
    if (context.host.stdout.isTTY) throw new CliError("cowardly refusing to write an archive to a terminal; redirect it");
    for await (const chunk of await runtime.archiveGet(id, path, { signal })) await writeAll(context.host.stdout, chunk);
    return undefined;
  }
  const stat = await runtime.archiveHead(id, path, { signal });
  const plan = planCopy({ isDirectory: isDirectory(stat) }, destinationPlace(absolute(request.to.path)));
  const [base, name] = [archiveBase(path), plan.name ?? archiveBase(written)];
  const rename = base === name ? undefined : { base, name };
  return await writeHost({ directory: plan.directory, rename, keepsOwners: flags.archive === true }, await runtime.archiveGet(id, path, { signal }));
}

const typeBits = 0o170000;
const directoryType = 0o040000;

function isDirectory({ mode }: PathStat): boolean {
  return (mode & typeBits) === directoryType;
}

async function followed(runtime: Runtime, id: ContainerId, path: string): Promise<string> {
  const { linkTarget } = await runtime.archiveHead(id, path);
  return linkTarget === "" ? path : linkTarget;
}

/** A symlink at the end counts as what it leads to. What is not there may be made, if its parent is. */
async function containerPlace(runtime: Runtime, id: ContainerId, path: string): Promise<Place> {
  const full = path.startsWith("/") ? path : `/${path}`;
  try {
    const stat = await runtime.archiveHead(id, full);
    if (stat.linkTarget === "") return { path: full, exists: true, isDirectory: isDirectory(stat) };
    const target = posix.resolve("/", posix.dirname(full), stat.linkTarget);
    return { path: target, exists: true, isDirectory: isDirectory(await runtime.archiveHead(id, target)) };
  } catch (error) {
    if (!isBerthError(error, "not_found")) throw error;
    return { path: full, exists: false, isDirectory: false };
  }
}
