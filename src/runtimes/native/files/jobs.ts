/** What the main thread asks of a files worker, and what it answers. Plain data: it crosses threads. */
import type { Change } from "../../../archive/layer-diff.ts";
import type { ErrorCode, ErrorFields } from "../../../errors.ts";
import type { PathStat } from "../../../runtime/types.ts";

/** Instead of a job: the worker ends. */
export const noMoreJobs = "no more jobs";

/** Something mounted into a container that does not run. */
export interface BoundMount {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Left out where the root has no such path. */
  readonly isOptional?: boolean | undefined;
}

export interface StoppedRoot {
  readonly kind: "stopped";
  /** Directories of the image's layers, top first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  /** A directory to mount on; nobody else sees what is mounted. */
  readonly scratch: string;
  readonly isReadonly: boolean;
  readonly binds: readonly BoundMount[];
}

export interface RootView {
  readonly root: { readonly kind: "running" /** Descriptor of its mount namespace. */; readonly namespace: number } | StoppedRoot;
  /** `none` shows the root file system alone, with bare mount points. */
  readonly mounts: "all" | "none";
  /** Where the spec mounts something: such mounts are shown also below /dev and the like. */
  readonly targets: readonly string[];
  readonly writable: boolean;
}

export type FilesTask =
  | { readonly kind: "head"; readonly path: string }
  /** Answers {@link PathStat} at once, then fills the ring. */
  | { readonly kind: "get"; readonly path: string; readonly ring: SharedArrayBuffer }
  | { readonly kind: "export"; readonly ring: SharedArrayBuffer }
  /** Takes a plain tar from the ring. */
  | {
      readonly kind: "put";
      readonly path: string;
      readonly ring: SharedArrayBuffer;
      readonly noOverwriteDirNonDir: boolean;
      /** Whose everything shall be, by the container's own files; absent = as the archive says. */
      readonly user?: string | undefined;
    };

/** What a container changed: its own directory against the layers of its image. */
export interface DiffView {
  /** Top first. */
  readonly lower: readonly string[];
  readonly upper: string;
  /** A directory to mount on; nobody else sees what is mounted. */
  readonly scratch: string;
  readonly mountPoints: readonly string[];
}

export type DiffTask =
  /** Answers all {@link Change}s at once. */
  | { readonly kind: "changes" }
  /** Fills the ring with the tar of a layer. */
  | { readonly kind: "layer"; readonly ring: SharedArrayBuffer };

export type FilesJob = { readonly view: RootView; readonly task: FilesTask } | { readonly diff: DiffView; readonly task: DiffTask };

/** What a job has to say before its bytes. */
export interface Beginning {
  readonly stat?: PathStat | undefined;
  readonly changes?: readonly Change[] | undefined;
}

export type FilesAnswer =
  /** The beginning went well. */
  | { readonly kind: "ready"; readonly beginning: Beginning }
  | { readonly kind: "warning"; readonly text: string }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string; readonly fields: ErrorFields }
  /** The view is left: its mounts are gone. Always last. */
  | { readonly kind: "left" };
