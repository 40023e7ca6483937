/** Volumes. */

/** Of list, create and inspect. */
export interface VolumeReport {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly CreatedAt?: string | undefined;
  readonly Status?: Readonly<Record<string, unknown>> | undefined;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Scope: "local" | "global" | (string & {});
  readonly Options: Readonly<Record<string, string>> | null;
  /** Of `system df`; -1 = unknown. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null | undefined;
}

export interface VolumeList {
  readonly Volumes: readonly VolumeReport[] | null;
  readonly Warnings: readonly string[] | null;
}

/** `POST /volumes/create`. */
export interface VolumeCreateBody {
  readonly Name?: string | undefined;
  readonly Driver?: string | undefined;
  readonly DriverOpts?: Readonly<Record<string, string>> | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
}

export interface VolumesPruned {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
