/** The little of an S3-compatible store that sync needs. Failures are thrown as {@link StoreFailure}. */
export interface ObjectStore {
  /** `undefined` when there is no such object. */
  read(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  exists(key: string, signal?: AbortSignal): Promise<boolean>;
  /** `if`: only while there is none, or it is still that one; else a failure of kind `moved`, where the store can tell. */
  put(
    key: string,
    body: string | ObjectBody,
    o: { readonly if?: "absent" | { readonly etag: string } | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
  beginUpload(key: string, signal?: AbortSignal): Promise<string>;
  /** Answers the part's ETag. */
  uploadPart(key: string, uploadId: string, part: number, body: ObjectBody, signal?: AbortSignal): Promise<string>;
  completeUpload(key: string, uploadId: string, parts: readonly UploadedPart[], signal?: AbortSignal): Promise<void>;
  abortUpload(key: string, uploadId: string): Promise<void>;
  close(): void;
}

export interface StoredObject {
  readonly etag: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Bytes of a file; may be read again after a failure. */
export interface ObjectBody {
  readonly path: string;
  readonly start: number;
  readonly sizeBytes: number;
}

export interface UploadedPart {
  readonly part: number;
  readonly etag: string;
}

/** `gone`: an upload the store has forgotten. `moved`: a condition did not hold. `denied`: keys or rights. */
export type FailureKind = "gone" | "moved" | "denied" | "unreachable" | "other";

export class StoreFailure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}
