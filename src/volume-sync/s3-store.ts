/** An S3-compatible store through Amazon's client, which is loaded when a bucket is used. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../errors.ts";
import { type FailureKind, type ObjectBody, type ObjectStore, type StoredObject, StoreFailure, type UploadedPart } from "./object-store.ts";
import type { SyncSettings } from "./settings.ts";

type Sdk = typeof import("@aws-sdk/client-s3");
type Client = InstanceType<Sdk["S3Client"]>;

const retries = 3;

/** Throws `configuration` when the client is not installed. */
export async function openS3Store(settings: SyncSettings): Promise<ObjectStore> {
  const sdk = await loadSdk();
  const { region, endpoint, pathStyle, account } = settings;
  const client = new sdk.S3Client({
    region,
    forcePathStyle: pathStyle,
    // Other stores than Amazon's do not know the newer checksums; ours is in the name of each object.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(account === undefined ? {} : { credentials: withoutAbsent(account) }),
  });
  return new S3Store(sdk, client, settings.bucket);
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw new BerthError("configuration", "keeping volumes in S3 needs the package @aws-sdk/client-s3; install it beside berth", { cause });
  }
}

class S3Store implements ObjectStore {
  readonly #sdk: Sdk;
  readonly #client: Client;
  readonly #bucket: string;

  constructor(sdk: Sdk, client: Client, bucket: string) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
  }

  async read(key: string, signal?: AbortSignal): Promise<StoredObject | undefined> {
    const { GetObjectCommand } = this.#sdk;
    const found = await this.#unlessMissing(() => this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }), abortable(signal)), signal);
    if (found?.Body === undefined) return undefined;
    // In Node the client answers with its own streams; any other would be read through the web's.
    return { etag: found.ETag ?? "", body: found.Body instanceof Readable ? found.Body : found.Body.transformToWebStream() };
  }

  async exists(key: string, signal?: AbortSignal): Promise<boolean> {
    const { HeadObjectCommand } = this.#sdk;
    const send = () => this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }), abortable(signal));
    return (await this.#unlessMissing(send, signal)) !== undefined;
  }

  async put(key: string, body: string | ObjectBody, o: Parameters<ObjectStore["put"]>[2]): Promise<void> {
    const { PutObjectCommand } = this.#sdk;
    const condition = o.if === undefined ? {} : o.if === "absent" ? { IfNoneMatch: "*" } : { IfMatch: o.if.etag };
    await this.#patiently(
      () => this.#client.send(new PutObjectCommand({ Bucket: this.#bucket, Key: key, ...payload(body), ...condition }), abortable(o.signal)),
      o.signal,
    );
  }

  async beginUpload(key: string, signal?: AbortSignal): Promise<string> {
    const { CreateMultipartUploadCommand } = this.#sdk;
    const begun = await this.#patiently(
      () => this.#client.send(new CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key }), abortable(signal)),
      signal,
    );
    if (begun.UploadId === undefined) throw new StoreFailure("other", "the store gave no id for an upload");
    return begun.UploadId;
  }

  async uploadPart(key: string, uploadId: string, part: number, body: ObjectBody, signal?: AbortSignal): Promise<string> {
    const { UploadPartCommand } = this.#sdk;
    const sent = await this.#patiently(
      () =>
        this.#client.send(new UploadPartCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId, PartNumber: part, ...payload(body) }), abortable(signal)),
      signal,
    );
    if (sent.ETag === undefined) throw new StoreFailure("other", "the store gave no ETag for a part");
    return sent.ETag;
  }

  async completeUpload(key: string, uploadId: string, parts: readonly UploadedPart[], signal?: AbortSignal): Promise<void> {
    const { CompleteMultipartUploadCommand } = this.#sdk;
    const MultipartUpload = { Parts: parts.map(({ part, etag }) => ({ PartNumber: part, ETag: etag })) };
    await this.#patiently(
      () => this.#client.send(new CompleteMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId, MultipartUpload }), abortable(signal)),
      signal,
    );
  }

  async abortUpload(key: string, uploadId: string): Promise<void> {
    const { AbortMultipartUploadCommand } = this.#sdk;
    const send = () => this.#client.send(new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: uploadId }));
    await this.#unlessMissing(send, undefined);
  }

  close(): void {
    this.#client.destroy();
  }

  async #unlessMissing<T>(send: () => Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
    try {
      return await this.#patiently(send, signal);
    } catch (error) {
      if (error instanceof StoreFailure && error.kind === "gone") return undefined;
      throw error;
    }
  }

  /** The client repeats what has no stream; what has one is repeated here, from the file. */
  async #patiently<T>(send: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send();
      } catch (cause) {
        signal?.throwIfAborted();
        const failure = toFailure(cause);
        const mayPass = failure.kind === "unreachable" || statusOf(cause) >= 500;
        if (!mayPass || attempt === retries) throw failure;
        await sleep(attempt * 200, undefined, { signal }).catch(() => signal?.throwIfAborted());
      }
    }
  }
}

function payload(body: string | ObjectBody): { readonly Body: string | ReturnType<typeof createReadStream>; readonly ContentLength: number } {
  if (typeof body === "string") return { Body: body, ContentLength: Buffer.byteLength(body) };
  const { path, start, sizeBytes } = body;
  return { Body: createReadStream(path, { start, end: start + sizeBytes - 1 }), ContentLength: sizeBytes };
}

function abortable(signal: AbortSignal | undefined): { readonly abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

function withoutAbsent(account: NonNullable<SyncSettings["account"]>): { accessKeyId: string; secretAccessKey: string; sessionToken?: string } {
  const { accessKeyId, secretAccessKey, sessionToken } = account;
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

const kinds: Readonly<Record<string, FailureKind>> = {
  NoSuchKey: "gone",
  NotFound: "gone",
  NoSuchUpload: "gone",
  PreconditionFailed: "moved",
  ConditionalRequestConflict: "moved",
  AccessDenied: "denied",
  InvalidAccessKeyId: "denied",
  SignatureDoesNotMatch: "denied",
  ExpiredToken: "denied",
  InvalidToken: "denied",
  CredentialsProviderError: "denied",
};

/** Names what went wrong in words of our own: the client's may quote the request. */
function toFailure(cause: unknown): StoreFailure {
  const name = cause instanceof Error ? cause.name : "";
  const status = statusOf(cause);
  const kind =
    kinds[name] ?? (status === 412 ? "moved" : status === 403 || status === 401 ? "denied" : status === 404 && name !== "NoSuchBucket" ? "gone" : undefined);
  if (kind === "denied")
    return new StoreFailure(kind, `the store refuses the access keys (${name || status}); check BERTH_S3_ACCESS_KEY_ID, its secret and its rights`);
  if (kind !== undefined) return new StoreFailure(kind, `the store answered ${name || status}`);
  if (status === 0) return new StoreFailure("unreachable", `the store cannot be reached (${codeOf(cause) ?? name}); check BERTH_S3_ENDPOINT and the network`);
  return new StoreFailure("other", `the store answered ${name || "an error"} (${status})`);
}

function statusOf(cause: unknown): number {
  if (typeof cause !== "object" || cause === null || !("$metadata" in cause)) return 0;
  const metadata = cause.$metadata;
  const status = typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata ? metadata.httpStatusCode : undefined;
  return typeof status === "number" ? status : 0;
}

function codeOf(cause: unknown): string | undefined {
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}
