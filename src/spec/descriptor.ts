import { BerthError } from "../errors.ts";
import { type Digest, parseDigest } from "./digest.ts";
import type { OciPlatform } from "./platform.ts";

/** Content descriptor (image-spec descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly urls?: readonly string[] | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly platform?: OciPlatform | undefined;
  readonly artifactType?: string | undefined;
}

export const mediaTypes = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  dockerSchema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
} as const;

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Throws `invalid_spec` when a required field is missing or of the wrong type. */
export function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isRecord(value)) throw new BerthError("invalid_spec", `${what} is not a descriptor`);
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== "string" || typeof digest !== "string") {
    throw new BerthError("invalid_spec", `${what} lacks mediaType or digest`);
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new BerthError("invalid_spec", `${what} has no valid size`);
  }
  return {
    mediaType,
    digest: parseDigest(digest),
    size,
    urls: stringList(value["urls"]),
    annotations: stringMap(value["annotations"]),
    platform: parsePlatformObject(value["platform"]),
    artifactType: typeof value["artifactType"] === "string" ? value["artifactType"] : undefined,
  };
}

/** Strings of a list; anything else in it is dropped. `undefined` when the value is no list. */
export function stringList(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : undefined;
}

/** String values of an object; anything else in it is dropped. `undefined` when the value is no object. */
export function stringMap(value: unknown): Readonly<Record<string, string>> | undefined {
  if (!isRecord(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function parsePlatformObject(value: unknown): OciPlatform | undefined {
  if (!isRecord(value) || typeof value["os"] !== "string" || typeof value["architecture"] !== "string") return undefined;
  return {
    os: value["os"],
    architecture: value["architecture"],
    variant: typeof value["variant"] === "string" ? value["variant"] : undefined,
    osVersion: typeof value["os.version"] === "string" ? value["os.version"] : undefined,
  };
}
