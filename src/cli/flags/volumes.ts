import { resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import type { StorageSpec } from "../../spec/service-spec.ts";
import { parseSize, splitOnce } from "./values.ts";

/** SELinux labels and macOS caching hints: without effect on the hosts Berth runs on, as with Docker. */
const hintsWithoutEffect = new Set(["z", "Z", "cached", "delegated", "consistent", "rprivate", "private"]);

/** Reads one `--volume`: `name:/x[:ro]`, `/host:/x[:ro]`, `./relative:/x` or `/anonymous`. */
export function parseVolume(text: string): StorageSpec {
  const parts = text.split(":");
  if (parts.length > 3 || parts.some((part) => part === "")) throw invalid("volume", text, "expected [source:]/target[:ro]");
  if (parts.length === 1) return { type: "anonymous", target: absolute("volume", text, text) };
  const [source = "", target = "", options = ""] = parts;
  const words = options.split(",");
  const storage = fromSource(source, absolute("volume", text, target), isReadonly(text, words.filter((word) => word !== "nocopy").join(",")));
  if (!words.includes("nocopy")) return storage;
  if (storage.type !== "named") throw invalid("volume", text, "nocopy is for named volumes");
  return { ...storage, nocopy: true };
}

function fromSource(source: string, target: string, readonly: boolean): StorageSpec {
  return /^[/.~]/.test(source) ? { type: "bind", source: resolve(source), target, readonly } : { type: "named", name: source, target, readonly };
}

function isReadonly(text: string, options: string): boolean {
  let readonly = false;
  for (const option of options.split(",")) {
    if (option === "ro" || option === "rw") readonly = option === "ro";
    else if (option !== "" && !hintsWithoutEffect.has(option)) throw invalid("volume", text, `unknown option ${JSON.stringify(option)}`);
  }
  return readonly;
}

/** Reads one `--tmpfs`: `/run` or `/run:size=64m,mode=1777`; the mount flags Docker knows are accepted. */
export function parseTmpfs(text: string): StorageSpec {
  const [target, options = ""] = splitOnce(text, ":");
  const known = new Set(["rw", "noexec", "nosuid", "nodev", "exec", "suid", "dev", ""]);
  let size: number | undefined;
  let mode: number | undefined;
  for (const option of options.split(",")) {
    const [key, value = ""] = splitOnce(option, "=");
    if (key === "size") size = parseSize(value);
    else if (key === "mode") mode = parseMode(text, value);
    else if (!known.has(option)) throw invalid("tmpfs", text, `unknown option ${JSON.stringify(option)}`);
  }
  return { type: "tmpfs", target: absolute("tmpfs", text, target), size, mode };
}

const aliases: Readonly<Record<string, string>> = { src: "source", dst: "target", destination: "target", ro: "readonly", volume: "" };

/** Reads one `--mount`: `type=bind|volume|tmpfs,source=…,target=…[,readonly][,tmpfs-size=…][,tmpfs-mode=…]`; volume is the default type. */
export function parseMount(text: string): StorageSpec {
  const fields = new Map(
    text.split(",").map((part) => {
      const [key, value] = splitOnce(part.trim(), "=");
      return [aliases[key] ?? key, value ?? "true"] as const;
    }),
  );
  for (const key of fields.keys()) {
    if (!["type", "source", "target", "readonly", "tmpfs-size", "tmpfs-mode", "volume-nocopy"].includes(key)) {
      throw invalid("mount", text, `unknown field ${JSON.stringify(key)}`);
    }
  }
  const target = absolute("mount", text, fields.get("target") ?? "");
  const readonly = ["true", "1"].includes(fields.get("readonly") ?? "false");
  return mountOfType(text, fields, target, readonly);
}

function mountOfType(text: string, fields: ReadonlyMap<string, string>, target: string, readonly: boolean): StorageSpec {
  const source = fields.get("source");
  const type = fields.get("type") ?? "volume";
  switch (type) {
    case "bind":
      if (!source) throw invalid("mount", text, "a bind needs a source");
      return { type: "bind", source: resolve(source), target, readonly };
    case "volume":
      return source
        ? { type: "named", name: source, target, readonly, ...(fields.get("volume-nocopy") === "true" ? { nocopy: true } : {}) }
        : { type: "anonymous", target };
    case "tmpfs": {
      const [size, mode] = [fields.get("tmpfs-size"), fields.get("tmpfs-mode")];
      return { type: "tmpfs", target, size: size === undefined ? undefined : parseSize(size), mode: mode === undefined ? undefined : parseMode(text, mode) };
    }
    default:
      throw invalid("mount", text, `type ${JSON.stringify(type)} is none of bind, volume and tmpfs`);
  }
}

function parseMode(text: string, octal: string): number {
  if (!/^[0-7]{1,5}$/.test(octal)) throw invalid("mount", text, `mode ${JSON.stringify(octal)} is not octal`);
  return Number.parseInt(octal, 8);
}

function absolute(flag: string, text: string, target: string): string {
  if (!target.startsWith("/")) throw invalid(flag, text, `the target ${JSON.stringify(target)} is not an absolute path`);
  return target;
}

function invalid(flag: string, text: string, why: string): InvalidArgumentError {
  return new InvalidArgumentError(`invalid ${flag} ${JSON.stringify(text)}: ${why}.`);
}
