import type { ContentStore } from "../content/content-store.ts";
import type { RegistryClient } from "../registry/types.ts";
import type { ContentLeases } from "./content-leases.ts";
import type { ImageRecords } from "./image-records.ts";
import type { LayerUnpacking } from "./layer-unpacking.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import type { UnpackPool } from "./unpack-pool.ts";

/** What the operations of one opened image store work with. */
export interface StoreParts {
  readonly root: string;
  readonly registry: RegistryClient;
  readonly content: ContentStore;
  readonly records: ImageRecords;
  readonly snapshots: SnapshotStore;
  readonly layers: LayerUnpacking;
  readonly pool: UnpackPool;
  readonly leases: ContentLeases;
  /** Names of the containers that were made from an image. */
  readonly usersOf: (imageId: string) => readonly string[];
}
