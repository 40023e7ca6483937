/** What the main thread asks of an unpack worker, and what it answers. Plain data: it crosses threads. */
import type { ErrorCode } from "../errors.ts";
import type { Unpacked } from "./unpack.ts";

export type Job =
  /** Unpacks the blob behind an open file descriptor of this process, while it grows, into a directory. */
  | { readonly kind: "unpack"; readonly fd: number; readonly growth: SharedArrayBuffer; readonly directory: string; readonly describeStored?: boolean }
  /** Writes the file system that holds `path` to its disk. */
  | { readonly kind: "sync"; readonly path: string }
  /** Removes a tree. */
  | { readonly kind: "remove"; readonly path: string };

export type Answer =
  | { readonly ok: true; readonly unpacked?: Unpacked | undefined }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly isDiskFull: boolean };
