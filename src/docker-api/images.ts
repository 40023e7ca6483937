/** Images: list, inspect, history, search, removal, prune and the messages of pull, push, load, import. */
import type { ContainerConfig } from "./container-config.ts";
import type { GraphDriverReport } from "./system.ts";

/** One of `GET /images/json`. */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  /** Unix seconds. */
  readonly Created: number;
  readonly Size: number;
  /** -1 = not computed. */
  readonly SharedSize: number;
  /** Before 1.44. */
  readonly VirtualSize?: number | undefined;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** -1 = not computed. */
  readonly Containers: number;
}

/** `GET /images/{name}/json`. */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created?: string | undefined;
  readonly Container?: string | undefined;
  readonly ContainerConfig?: ContainerConfig | null | undefined;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: ContainerConfig | null;
  readonly Architecture: string;
  readonly Variant?: string | undefined;
  readonly Os: string;
  readonly OsVersion?: string | undefined;
  readonly Size: number;
  readonly VirtualSize?: number | undefined;
  readonly GraphDriver: GraphDriverReport;
  readonly RootFS: { readonly Type: string; readonly Layers?: readonly string[] | undefined };
  readonly Metadata: { readonly LastTagTime?: string | undefined };
}

/** One of `GET /images/{name}/history`, newest first. */
export interface ImageHistoryItem {
  readonly Id: string;
  /** Unix seconds. */
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** One of `GET /images/search`. */
export interface ImageSearchItem {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}

/** One of the answer of `DELETE /images/{name}`. */
export interface ImageDeleteItem {
  readonly Untagged?: string | undefined;
  readonly Deleted?: string | undefined;
}

export interface ImagesPruned {
  readonly ImagesDeleted: readonly ImageDeleteItem[] | null;
  readonly SpaceReclaimed: number;
}

/** One line of the answers of pull, push, load, import and build. */
export interface ProgressMessage {
  readonly id?: string | undefined;
  readonly status?: string | undefined;
  /** Ready-made bar. */
  readonly progress?: string | undefined;
  readonly progressDetail?: { readonly current?: number | undefined; readonly total?: number | undefined } | undefined;
  /** Of load and build, with newline. */
  readonly stream?: string | undefined;
  readonly error?: string | undefined;
  readonly errorDetail?: { readonly code?: number | undefined; readonly message?: string | undefined } | undefined;
  /** Of push: `{ Tag, Digest, Size }`; of build: `{ ID }`. */
  readonly aux?: unknown;
}

/** `aux` of the last line of a push. */
export interface PushResult {
  readonly Tag: string;
  readonly Digest: string;
  readonly Size: number;
}

/** `GET /distribution/{name}/json`. */
export interface DistributionInspect {
  readonly Descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number };
  readonly Platforms: readonly {
    readonly architecture: string;
    readonly os: string;
    readonly "os.version"?: string | undefined;
    readonly "os.features"?: readonly string[] | undefined;
    readonly variant?: string | undefined;
  }[];
}
