/** Method 35: one layer from a tar of a root file system. */
import { byteChunks, withoutForeignCompression } from "../archive/archive-source.ts";
import { BerthError, isBerthError } from "../errors.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { applyChanges, emptyConfig } from "../spec/changes.ts";
import { hostPlatform, type OciPlatform } from "../spec/platform.ts";
import type { Reference } from "../spec/reference.ts";
import { createImage } from "./create-image.ts";
import type { Image } from "./image-records.ts";
import type { StoreParts } from "./store-parts.ts";

export interface ImportImageOptions {
  readonly name?: Reference | undefined;
  /** Comment of the history row. Default: `Imported from -`. */
  readonly message?: string | undefined;
  /** Dockerfile instructions for the config. */
  readonly changes?: string | undefined;
  readonly platform?: OciPlatform | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Throws `invalid_spec` for bad changes, before anything is read, and for what is no tar. */
export async function importImage(parts: StoreParts, tar: Uint8Array | AsyncIterable<Uint8Array>, o: ImportImageOptions): Promise<Image> {
  const config = applyChanges(emptyConfig, o.changes ?? "");
  const comment = o.message ?? "Imported from -";
  const platform = o.platform ?? hostPlatform();
  const layer = withoutForeignCompression(byteChunks(tar));
  try {
    return await createImage(parts, { layer, platform, config, comment, history: { comment }, name: o.name, signal: o.signal, event: "import" });
  } catch (error) {
    throw archiveError(error, "import", parts.root);
  }
}

/** What went wrong with an archive somebody handed in: the archive itself, the disk, or what it is. */
export function archiveError(error: unknown, verb: "import" | "load", root: string): unknown {
  if (isDiskFull(error)) {
    return new BerthError("internal", `cannot ${verb}: no space left on the disk that holds ${root}; free some space and ${verb} again`, { cause: error });
  }
  if (!isBerthError(error, "pull_failed")) return error;
  return new BerthError("invalid_spec", `cannot ${verb} the archive: ${error.message}`, { cause: error });
}
