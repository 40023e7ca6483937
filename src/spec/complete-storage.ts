/** Storage fields of a spec (contract 1.3.3). */
import { BerthError } from "../errors.ts";
import { absolutePath, boolean, type Fields, integer, invalid, nonEmptyText, oneOf, onlyKeys, optional, record, within } from "./fields.ts";
import type { StorageSpec } from "./service-spec.ts";
import { parseSize } from "./units.ts";

const volumeNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/;
const tier = oneOf("local", "cached", "network");

const keysOf: Readonly<Record<StorageSpec["type"], readonly string[]>> = {
  bind: ["type", "source", "target", "readonly"],
  named: ["type", "name", "target", "readonly", "tier", "size", "nocopy"],
  anonymous: ["type", "target", "tier"],
  tmpfs: ["type", "target", "size", "mode"],
  s3: ["type", "bucket", "prefix", "target", "readonly", "endpoint", "credentials"],
};

/** Later entries win over earlier ones with the same target. */
export function completeStorage(entries: readonly unknown[], warnings: string[]): readonly StorageSpec[] {
  const byTarget = new Map<string, StorageSpec>();
  for (const [index, entry] of entries.entries()) {
    const complete = completeEntry(entry, `storage[${index}]`);
    byTarget.delete(complete.target);
    byTarget.set(complete.target, complete);
  }
  const storage = [...byTarget.values()];
  for (const entry of storage) warnAboutVolume(entry, warnings);
  return storage;
}

function warnAboutVolume(entry: StorageSpec, warnings: string[]): void {
  if (entry.type === "named" && entry.size !== undefined) {
    warnings.push(`the size of the volume at ${entry.target} is not enforced: a volume is a directory of the host's file system`);
  }
  if ((entry.type === "named" || entry.type === "anonymous") && entry.tier === "network") {
    warnings.push(`the volume at ${entry.target} has tier network: it is not safe for SQLite and other databases in files`);
  }
}

function completeEntry(value: unknown, field: string): StorageSpec {
  const fields = record(value, field);
  const type = oneOf("bind", "named", "anonymous", "tmpfs", "s3")(fields["type"], `${field}.type`);
  onlyKeys(fields, field, keysOf[type]);
  const target = mountTarget(fields["target"], `${field}.target`);
  switch (type) {
    case "bind":
      return { type, source: absolutePath(fields["source"], `${field}.source`), target, readonly: isReadonly(fields, field) };
    case "named":
      return {
        type,
        name: volumeName(fields["name"], `${field}.name`),
        target,
        readonly: isReadonly(fields, field),
        tier: optional(fields["tier"], `${field}.tier`, tier) ?? "local",
        size: optional(fields["size"], `${field}.size`, sizeBytes),
        nocopy: optional(fields["nocopy"], `${field}.nocopy`, boolean),
      };
    case "anonymous":
      return { type, target, tier: optional(fields["tier"], `${field}.tier`, tier) ?? "local" };
    case "tmpfs":
      return {
        type,
        target,
        size: optional(fields["size"], `${field}.size`, sizeBytes),
        mode: optional(fields["mode"], `${field}.mode`, integer(0, 0o7777)),
      };
    case "s3":
      throw new BerthError("unsupported", `${field}: s3 storage is not supported; mount the bucket on the host and bind it`);
    default:
      return type satisfies never;
  }
}

function mountTarget(value: unknown, field: string): string {
  const target = absolutePath(value, field);
  if (target === "/") throw invalid(field, "nothing can be mounted over the container's root; choose a directory below it");
  return target;
}

/** Docker's names, which are more than the contract's: what was made as a volume can be mounted. */
export function volumeName(value: unknown, field: string): string {
  const name = nonEmptyText(value, field);
  if (!volumeNamePattern.test(name)) throw invalid(field, `volume name ${JSON.stringify(name)} must match ${volumeNamePattern.source}`);
  return name;
}

function isReadonly(fields: Fields, field: string): boolean {
  return optional(fields["readonly"], `${field}.readonly`, boolean) ?? false;
}

/** Bytes, or a human string such as `64Mi`. */
export function sizeBytes(value: unknown, field: string): number {
  if (typeof value === "string") return within(field, () => parseSize(value));
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) {
    throw invalid(field, 'expected a positive number of bytes or a size such as "64Mi"');
  }
  return value;
}
