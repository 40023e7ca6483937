import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import { messageOf } from "../../errors.ts";
import { splitOnce } from "./values.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables of `--env-file` and `--env`, the latter winning. `KEY` alone takes the caller's value and is dropped when there
 * is none, as with Docker.
 */
export function collectEnvironment(flags: readonly string[], files: readonly string[], own: Environment): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of [...files.flatMap((path) => readEntries(path)), ...flags]) {
    const [key, value] = splitOnce(entry, "=");
    if (key === "") throw new InvalidArgumentError(`invalid variable ${JSON.stringify(entry)}: the name is empty.`);
    const known = value ?? own[key];
    if (known !== undefined) env[key] = known;
  }
  return env;
}

/** `KEY=VALUE` or `KEY`, which means an empty value; flags win over files. */
export function collectLabels(flags: readonly string[], files: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const entry of [...files.flatMap((path) => readEntries(path)), ...flags]) {
    const [key, value = ""] = splitOnce(entry, "=");
    if (key === "") throw new InvalidArgumentError(`invalid label ${JSON.stringify(entry)}: the name is empty.`);
    labels[key] = value;
  }
  return labels;
}

function readEntries(path: string): readonly string[] {
  return parseEnvFile(readText(path), path);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new InvalidArgumentError(`cannot read ${path}: ${messageOf(error)}`);
  }
}

/** Docker's file: one entry a line, taken literally; blank lines and lines that start with `#` do not count. */
export function parseEnvFile(text: string, path: string): readonly string[] {
  const entries: string[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trimStart();
    if (line === "" || line.startsWith("#")) continue;
    const [key] = splitOnce(line, "=");
    if (key === "" || /\s/.test(key.trimEnd())) {
      throw new InvalidArgumentError(`${path}, line ${index + 1}: the variable name is ${key === "" ? "empty" : "not one word"}.`);
    }
    entries.push(line);
  }
  return entries;
}
