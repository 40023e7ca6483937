/** An image's layers, each with an identity that other images with the same layer have, too. */
export interface LayeredImage {
  readonly id: string;
  readonly layers: readonly { readonly key: string; readonly sizeBytes: number }[];
}

/** Bytes of all layers, each counted once; and of each image what others use too. */
export function sharedLayers(images: readonly LayeredImage[]): { readonly layersBytes: number; sharedBytes(id: string): number } {
  const uses = new Map<string, number>();
  let layersBytes = 0;
  for (const { layers } of images) {
    for (const { key, sizeBytes } of layers) {
      if (!uses.has(key)) layersBytes += sizeBytes;
      uses.set(key, (uses.get(key) ?? 0) + 1);
    }
  }
  const shared = new Map(
    images.map(({ id, layers }) => [id, layers.reduce((sum, { key, sizeBytes }) => ((uses.get(key) ?? 0) > 1 ? sum + sizeBytes : sum), 0)]),
  );
  return { layersBytes, sharedBytes: (id) => shared.get(id) ?? 0 };
}
