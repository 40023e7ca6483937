import { type Descriptor, mediaTypes } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";

/** An OCI manifest; its bytes depend on nothing but the arguments. */
export function manifestDocument(config: Digest, configBytes: number, layers: readonly Descriptor[]): object {
  return {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config, size: configBytes },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
}
