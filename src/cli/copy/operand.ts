/** What the two operands of `cp` mean, as with the docker command. Pure. */
import { posix } from "node:path";
import { CliError } from "../failure.ts";

export type Operand =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "stream" }
  | { readonly kind: "container"; readonly container: string; readonly path: string };

/** `container:path`; an absolute path, one that begins with a dot and one without a colon are of this host. */
export function parseOperand(text: string): Operand {
  if (text === "-") return { kind: "stream" };
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon < 0) return { kind: "local", path: text };
  const [container, path] = [text.slice(0, colon), text.slice(colon + 1)];
  if (container === "" || path === "") throw new CliError(`${JSON.stringify(text)} names no container or no path; write CONTAINER:PATH`);
  return { kind: "container", container, path };
}

export type CopyRequest =
  | { readonly direction: "in"; readonly from: Exclude<Operand, { kind: "container" }>; readonly to: Operand & { readonly kind: "container" } }
  | { readonly direction: "out"; readonly from: Operand & { readonly kind: "container" }; readonly to: Exclude<Operand, { kind: "container" }> };

export function copyRequest(source: string, destination: string): CopyRequest {
  const [from, to] = [parseOperand(source), parseOperand(destination)];
  if (from.kind === "container" && to.kind === "container") throw new CliError("copying between containers is not supported");
  if (from.kind === "container" && to.kind !== "container") return { direction: "out", from, to };
  if (from.kind !== "container" && to.kind === "container") return { direction: "in", from, to };
  throw new CliError("must specify at least one container source");
}

/** Something at either end of a copy. */
export interface Place {
  /** As the user wrote it: a trailing slash or dot counts. */
  readonly path: string;
  readonly exists: boolean;
  readonly isDirectory: boolean;
}

export interface CopyPlan {
  /** Where the archive is extracted. */
  readonly directory: string;
  /** Base name of what is copied there; absent = it keeps the name it has in the archive. */
  readonly name?: string | undefined;
}

/** What happens to the name of what is copied; `docker cp` has a table of it in its description. */
export function planCopy(source: Pick<Place, "isDirectory">, destination: Place): CopyPlan {
  const { path } = destination;
  if (destination.exists && destination.isDirectory) return { directory: path };
  if (destination.exists && source.isDirectory) throw new CliError(`cannot copy a directory over a file: ${path}`);
  if (!source.isDirectory && assertsDirectory(path)) throw new CliError(`destination directory does not exist: ${path}`);
  const clean = posix.normalize(path).replace(/\/\.?$/, "");
  return { directory: posix.dirname(clean), name: posix.basename(clean) };
}

function assertsDirectory(path: string): boolean {
  return /(^|\/)\.?$/.test(path);
}

/** Base name that archive entries of a path begin with: `.` after a trailing `/.`, `/` for the root. */
export function archiveBase(path: string): string {
  if (/(^|\/)\.$/.test(path)) return ".";
  const clean = posix.resolve("/", path);
  return clean === "/" ? "/" : posix.basename(clean);
}

/** Replaces the base that entries begin with. The names of the root's entries begin with its slash, which stays. */
export function renamer(base: string, name: string): (entry: string) => string {
  const from = base === "/" ? "" : base;
  return (entry) => (entry.startsWith(from) ? `${name}${entry.slice(from.length)}` : entry);
}
