import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Descriptor, mediaTypes } from "../../src/spec/descriptor.ts";
import { type Digest, sha256 } from "../../src/spec/digest.ts";
import type { OciPlatform } from "../../src/spec/platform.ts";

export interface Account {
  readonly username: string;
  readonly password: string;
}

export interface ImageParts {
  /** Stored layer bytes, base first; already compressed. */
  readonly layers: readonly Uint8Array[];
  /** Media type per layer. Default: the OCI type that fits the first bytes. */
  readonly mediaTypes?: readonly string[] | undefined;
  /** The image config, written as JSON. */
  readonly config: object;
}

export interface PushOptions extends ImageParts {
  /** `docker` writes a Docker schema 2 manifest. Default `oci`. */
  readonly format?: "oci" | "docker" | undefined;
  readonly auth?: Account | undefined;
}

export interface PushedImage {
  /** `host/repo:tag` */
  readonly reference: string;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Uploads layers, config and manifest to a registry that speaks plain HTTP. */
export async function pushImage(host: string, repo: string, tag: string, o: PushOptions): Promise<PushedImage> {
  const docker = o.format === "docker";
  const layers: Descriptor[] = [];
  for (const [index, bytes] of o.layers.entries()) {
    const mediaType = o.mediaTypes?.[index] ?? (docker ? mediaTypes.dockerLayerGzip : layerMediaType(bytes));
    layers.push(await pushBlob(host, repo, bytes, { mediaType, auth: o.auth }));
  }
  const configType = docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig;
  const config = await pushBlob(host, repo, Buffer.from(JSON.stringify(o.config)), { mediaType: configType, auth: o.auth });
  const mediaType = docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const manifest = await pushManifest(host, repo, tag, { schemaVersion: 2, mediaType, config, layers }, { auth: o.auth });
  return { reference: `${host}/${repo}:${tag}`, manifest, config, layers };
}

/** Uploads one blob and answers its descriptor. */
export async function pushBlob(
  host: string,
  repo: string,
  bytes: Uint8Array,
  o: { readonly mediaType?: string | undefined; readonly auth?: Account | undefined } = {},
): Promise<Descriptor> {
  const digest = sha256(bytes);
  const begun = await send("POST", `http://${host}/v2/${repo}/blobs/uploads/`, undefined, {}, o.auth);
  const location = new URL(begun.headers.get("location") ?? "", `http://${host}`);
  location.searchParams.set("digest", digest);
  await send("PUT", location.href, bytes, { "content-type": "application/octet-stream" }, o.auth);
  return { mediaType: o.mediaType ?? "application/octet-stream", digest, size: bytes.length };
}

/** Uploads a manifest or index, written as JSON unless it is bytes already, under a tag or digest. */
export async function pushManifest(
  host: string,
  repo: string,
  tagOrDigest: string,
  manifest: object | Uint8Array,
  o: { readonly mediaType?: string | undefined; readonly auth?: Account | undefined } = {},
): Promise<Descriptor> {
  const bytes = manifest instanceof Uint8Array ? manifest : Buffer.from(JSON.stringify(manifest));
  const own = "mediaType" in manifest && typeof manifest.mediaType === "string" ? manifest.mediaType : mediaTypes.ociManifest;
  const mediaType = o.mediaType ?? own;
  await send("PUT", `http://${host}/v2/${repo}/manifests/${tagOrDigest}`, bytes, { "content-type": mediaType }, o.auth);
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}

/** Uploads an index of manifests that are there already, each with its platform. */
export function pushIndex(
  host: string,
  repo: string,
  tag: string,
  o: {
    readonly manifests: readonly (Descriptor & { readonly platform: OciPlatform })[];
    readonly format?: "oci" | "docker" | undefined;
    readonly auth?: Account | undefined;
  },
): Promise<Descriptor> {
  const mediaType = o.format === "docker" ? mediaTypes.dockerManifestList : mediaTypes.ociIndex;
  return pushManifest(host, repo, tag, { schemaVersion: 2, mediaType, manifests: o.manifests }, { auth: o.auth });
}

/** What {@link pushImage} needs, from plain tar bytes. `config` is laid over a minimal config for linux on this machine's CPU. */
export function buildImage(o: {
  readonly layers: readonly Uint8Array[];
  /** Keys of the image config; `config` in it holds Env, Cmd and so on. */
  readonly config?: object | undefined;
  readonly compression?: "gzip" | "zstd" | "none" | undefined;
}): ImageParts & { readonly diffIds: readonly Digest[] } {
  const compress = compressors[o.compression ?? "gzip"];
  const diffIds = o.layers.map((tar) => sha256(tar));
  const base = { os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch, config: {} };
  const config = { ...base, ...o.config, rootfs: { type: "layers", diff_ids: diffIds } };
  return { layers: o.layers.map(compress), config, diffIds };
}

const compressors = {
  gzip: (bytes: Uint8Array): Uint8Array => gzipSync(bytes),
  zstd: (bytes: Uint8Array): Uint8Array => zstdCompressSync(bytes),
  none: (bytes: Uint8Array): Uint8Array => bytes,
} as const;

function layerMediaType(bytes: Uint8Array): string {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return mediaTypes.ociLayerGzip;
  if (bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd) return mediaTypes.ociLayerZstd;
  return mediaTypes.ociLayer;
}

async function send(
  method: string,
  url: string,
  body: Uint8Array | undefined,
  headers: Readonly<Record<string, string>>,
  auth: Account | undefined,
): Promise<Response> {
  const basic = auth === undefined ? {} : { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}` };
  const copy = body === undefined ? null : new Uint8Array(body);
  const response = await fetch(url, { method, body: copy, headers: { ...headers, ...basic } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
  return response;
}
