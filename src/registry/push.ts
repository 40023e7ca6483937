/**
 * Blobs and manifests to a registry (distribution-spec "Push"). A small blob goes in one request; a large one in pieces that
 * can be gone on with where a connection broke.
 */
import { DigestMismatchError } from "../errors.ts";
import { digestLike, tryParseDigest, type Digest } from "../spec/digest.ts";
import type { RegistryRequest } from "./exchange.ts";
import { NetworkFailure, StatusFailure, toBerthError } from "./failure.ts";
import type { Session } from "./session.ts";
import type { HttpResponse } from "./transport.ts";
import type { BlobOutcome, RegistryPush, UploadSource } from "./types.ts";

export interface PushOptions {
  readonly image: string;
  readonly mountFrom: readonly string[];
  readonly signal: AbortSignal;
  readonly session: Session;
  readonly request: (request: Omit<RegistryRequest, "signal">) => Promise<HttpResponse>;
  readonly waitForRetry: (failure: unknown, retry: number, wasReachable: boolean) => Promise<boolean>;
}

/** Up to here one request is simpler for everybody. */
const monolithicBytes = 4 * 1024 * 1024;

export class Push implements RegistryPush {
  readonly #o: PushOptions;
  #wasReachable = false;

  constructor(o: PushOptions) {
    this.#o = o;
  }

  async blob(source: UploadSource): Promise<BlobOutcome> {
    const { digest } = source.descriptor;
    return this.#explained(`blob ${digest} of ${this.#o.image}`, async () => {
      if (await this.#patiently(() => this.#exists(digest))) return { kind: "exists" };
      for (const from of this.#o.mountFrom) {
        const mounted = await this.#patiently(() => this.#begin(`blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from)}`));
        if (mounted === undefined) return { kind: "mounted", from };
        await this.#abandon(mounted);
      }
      await this.#patiently(() => (source.descriptor.size <= monolithicBytes ? this.#sendWhole(source) : this.#sendPieces(source)));
      return { kind: "pushed" };
    });
  }

  async manifest(bytes: Uint8Array, o: { readonly mediaType: string; readonly digest: Digest; readonly tag?: string | undefined }): Promise<void> {
    const what = `manifest of ${this.#o.image}`;
    await this.#explained(what, () =>
      this.#patiently(async () => {
        const response = await this.#o.request({
          method: "PUT",
          path: `manifests/${o.tag ?? o.digest}`,
          headers: { "content-type": o.mediaType },
          body: { length: bytes.length, bytes: () => once(bytes) },
          accepts: [200, 201, 202],
        });
        response.discard();
        const named = tryParseDigest(String(response.headers["docker-content-digest"] ?? ""));
        const actual = named === undefined ? o.digest : digestLike(named, bytes);
        if (named !== undefined && named !== actual) throw new DigestMismatchError(what, { expected: actual, actual: named, image: this.#o.image });
      }),
    );
  }

  async #exists(digest: Digest): Promise<boolean> {
    try {
      (await this.#o.request({ method: "HEAD", path: `blobs/${digest}`, headers: {} })).discard();
      return true;
    } catch (error) {
      if (error instanceof StatusFailure && error.status === 404) return false;
      throw error;
    }
  }

  /** Where to upload to; `undefined` when the blob is there now. */
  async #begin(path: string): Promise<URL | undefined> {
    const response = await this.#o.request({ method: "POST", path, headers: {}, body: "", accepts: [201, 202] });
    response.discard();
    return response.status === 201 ? undefined : locationOf(response);
  }

  async #mustBegin(): Promise<URL> {
    const location = await this.#begin("blobs/uploads/");
    if (location === undefined) throw new NetworkFailure("refused", this.#o.image, "an upload that nobody began is finished");
    return location;
  }

  async #sendWhole(source: UploadSource): Promise<void> {
    await this.#finish(await this.#mustBegin(), source, 0, source.descriptor.size);
  }

  /** The last request of an upload, with the rest of the bytes. */
  async #finish(location: URL, source: UploadSource, from: number, size: number): Promise<void> {
    const url = new URL(location);
    url.searchParams.set("digest", source.descriptor.digest);
    const headers: Record<string, string> = { "content-type": "application/octet-stream" };
    const response = await this.#o.request({ method: "PUT", path: url, headers, body: counted(source, from, size), accepts: [201, 204] });
    response.discard();
  }

  async #sendPieces(source: UploadSource): Promise<void> {
    const { size } = source.descriptor;
    let location = await this.#mustBegin();
    let at = 0;
    for (let retry = 0; at < size; ) {
      try {
        location = await this.#sendPiece(location, source, at);
        at = size;
      } catch (error) {
        if (this.#o.signal.aborted || !(await this.#o.waitForRetry(error, retry++, true))) throw error;
        const state = await this.#stateOf(location);
        if (state === undefined) throw error;
        ({ location, at } = state);
      }
    }
    await this.#finish(location, source, size, size);
  }

  async #sendPiece(location: URL, source: UploadSource, from: number): Promise<URL> {
    const { size } = source.descriptor;
    const response = await this.#o.request({
      method: "PATCH",
      path: location,
      headers: { "content-type": "application/octet-stream", "content-range": `${from}-${size - 1}` },
      body: counted(source, from, size),
      accepts: [202, 204],
    });
    response.discard();
    return locationOf(response);
  }

  /** How far the upload got; `undefined` when the registry knows nothing of it any more. */
  async #stateOf(location: URL): Promise<{ readonly location: URL; readonly at: number } | undefined> {
    try {
      const response = await this.#o.request({ method: "GET", path: location, headers: {}, accepts: [204, 202, 200] });
      response.discard();
      const end = /^(?:bytes=)?0-(\d+)$/.exec(response.headers["range"] ?? "")?.[1];
      // "0-0" is said of one byte and of none: the one is sent again.
      const at = end === undefined || end === "0" ? 0 : Number(end) + 1;
      return at === 0 ? undefined : { location: response.headers.location === undefined ? location : locationOf(response), at };
    } catch (error) {
      if (error instanceof StatusFailure || error instanceof NetworkFailure) return undefined;
      throw error;
    }
  }

  /** A mount the registry did not make leaves an upload behind; it forgets it by itself, but the sooner the better. */
  async #abandon(location: URL): Promise<void> {
    const request = this.#o.request({ method: "DELETE", path: location, headers: {}, accepts: [200, 202, 204, 404, 405] });
    await request.then(
      (response) => response.discard(),
      (error: unknown) => {
        if (this.#o.signal.aborted) throw error;
      },
    );
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let retry = 0; ; retry++) {
      try {
        const result = await work();
        this.#wasReachable = true;
        return result;
      } catch (error) {
        if (this.#o.signal.aborted || !(await this.#o.waitForRetry(error, retry, this.#wasReachable))) throw error;
      }
    }
  }

  async #explained<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      this.#o.signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (this.#o.signal.aborted) throw this.#o.signal.reason;
      throw toBerthError(error, { image: this.#o.image, what, anonymous: this.#o.session.isAnonymous });
    }
  }
}

function locationOf(response: HttpResponse): URL {
  const location = response.headers.location;
  const url = location === undefined ? null : URL.parse(location, response.url.href);
  if (url === null) throw new NetworkFailure("refused", response.url.host, "an upload without a place to go to");
  return url;
}

function counted(source: UploadSource, from: number, size: number): { readonly length: number; bytes(): AsyncIterable<Uint8Array> } {
  return {
    length: size - from,
    async *bytes() {
      if (from === size) return;
      let sent = from;
      for await (const piece of source.read(from)) {
        yield piece;
        sent += piece.length;
        source.onSent?.(sent);
      }
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
