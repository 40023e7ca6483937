/** The bytes of one blob, however often the connection breaks. */
import { DigestMismatchError } from "../errors.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Endpoint } from "./config.ts";
import { NetworkFailure, StatusFailure } from "./failure.ts";
import type { HttpResponse } from "./transport.ts";

export interface BlobDownload {
  readonly endpoints: readonly Endpoint[];
  readonly descriptor: Descriptor;
  /** For messages. */
  readonly what: string;
  readonly image: string;
  /** First byte wanted. */
  readonly offset: number;
  readonly signal: AbortSignal;
  /** Sends a GET for the blob with these further headers. */
  readonly get: (endpoint: Endpoint, headers: Readonly<Record<string, string>>) => Promise<HttpResponse>;
  /** Waits before retry number `retry`; false when there is no use in another one. */
  readonly waitForRetry: (failure: unknown, retry: number) => Promise<boolean>;
  /** The error to throw for a failure. */
  readonly explain: (failure: unknown) => unknown;
}

/**
 * Yields from `offset` to the size of the descriptor, resuming where a connection broke. A mirror that fails is left out
 * from then on, whatever its failure; the registry itself gets the retries.
 */
export async function* downloadBlob(download: BlobDownload): AsyncGenerator<Uint8Array> {
  const { descriptor, signal } = download;
  let endpoints = download.endpoints;
  let position = download.offset;
  for (let retry = 0; position < descriptor.size; ) {
    if (signal.aborted) throw signal.reason;
    const [endpoint] = endpoints;
    if (endpoint === undefined) return;
    try {
      const { response, skip } = await open(download, endpoint, position);
      let at = position - skip;
      for await (const piece of response.body) {
        at += piece.length;
        if (at > descriptor.size) throw wrongSize(download, `at least ${at} bytes`);
        if (at <= position) continue;
        const fresh = piece.subarray(piece.length - (at - position));
        position = at;
        yield fresh;
      }
      if (position < descriptor.size) throw endedEarly(download, endpoint, position);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (endpoint.isMirror) endpoints = endpoints.slice(1);
      else if (!(await download.waitForRetry(error, retry++))) throw download.explain(error);
    }
  }
}

/** Asks for the rest. `skip` bytes of the answer are before `position`, when the server ignored `Range`. */
async function open(download: BlobDownload, endpoint: Endpoint, position: number): Promise<{ response: HttpResponse; skip: number }> {
  const response = await download.get(endpoint, position === 0 ? {} : { range: `bytes=${position}-` });
  try {
    return { response, skip: bytesToSkip(download, response, position) };
  } catch (error) {
    response.discard();
    throw error;
  }
}

function endedEarly({ what, descriptor }: BlobDownload, endpoint: Endpoint, position: number): NetworkFailure {
  return new NetworkFailure("lost", endpoint.host, `${what} ended after ${position} of ${descriptor.size} bytes`);
}

function bytesToSkip(download: BlobDownload, response: HttpResponse, position: number): number {
  const { size } = download.descriptor;
  const { headers, status, url } = response;
  if (status === 200) {
    const length = headers["content-length"];
    if (length !== undefined && Number(length) !== size) throw wrongSize(download, `${length} bytes`);
    return position;
  }
  const range = /^bytes (?<start>\d+)-\d+\/(?<total>\d+|\*)$/.exec(headers["content-range"] ?? "")?.groups;
  const total = range?.["total"];
  if (total !== undefined && total !== "*" && Number(total) !== size) throw wrongSize(download, `${total} bytes`);
  if (range === undefined || Number(range["start"]) !== position)
    throw new StatusFailure({ status, host: url.host, text: "another range than the one asked for" });
  return 0;
}

function wrongSize(download: BlobDownload, actual: string): DigestMismatchError {
  const { what, descriptor, image } = download;
  return new DigestMismatchError(`size of ${what}`, { expected: `${descriptor.size} bytes`, actual, image });
}
