/** What is at a path of this host, as `cp` looks at it. */
import { lstatSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CliError } from "../failure.ts";
import type { Place } from "./operand.ts";

/** Absolute, keeping what says that a directory is meant. */
export function absolute(path: string): string {
  const full = resolve(path);
  if (/(^|\/)\.$/.test(path)) return full === "/" ? "/." : `${full}/.`;
  return path.endsWith("/") && full !== "/" ? `${full}/` : full;
}

/** A symlink is meant itself unless it is followed or the path goes on behind it. */
export function sourcePlace(path: string, follow: boolean): Place & { readonly follows: boolean } {
  const follows = follow || /\/\.?$/.test(path);
  const found = (follows ? statSync : lstatSync)(path, { throwIfNoEntry: false });
  if (found === undefined) throw new CliError(`no such file or directory: ${path}`);
  if (/\/$/.test(path) && !found.isDirectory()) throw new CliError(`not a directory: ${path}`);
  return { path, exists: true, isDirectory: found.isDirectory(), follows };
}

/** Symlinks are followed. What is not there needs a directory to be made in. */
export function destinationPlace(path: string): Place {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) return { path, exists: true, isDirectory: found.isDirectory() };
  const parent = dirname(path.replace(/\/\.?$/, ""));
  if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true) throw new CliError(`no such directory: ${parent}`);
  return { path, exists: false, isDirectory: false };
}
