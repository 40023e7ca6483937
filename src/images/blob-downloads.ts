import { closeSync, openSync } from "node:fs";
import type { ContentStore } from "../content/content-store.ts";
import type { Ingest } from "../content/ingest.ts";
import type { Credentials, RegistryClient } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Reference } from "../spec/reference.ts";
import { GrowthNotice } from "./growing-file.ts";
import { type Lease, Leases, type SharedWork } from "./leases.ts";
import type { Limiter } from "./limiter.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { layerStatus, StatusBoard } from "./pull-progress.ts";

/** Where a blob comes from. */
export interface BlobSource {
  readonly reference: Reference;
  readonly auth: Credentials | undefined;
}

/** A blob that is arriving, or that is there. */
export interface Download {
  readonly board: StatusBoard;
  readonly growth: GrowthNotice;
  /** An open descriptor of the blob's file, once there is one. It lives as long as the lease. */
  readonly opened: Promise<number>;
  /** Rejects when the blob could not be had; then what was read from it is worth nothing. */
  readonly done: Promise<void>;
  /** Whether it went on from what an earlier attempt had left; with a wrong digest, that may be what is wrong. */
  readonly isResumed: () => boolean;
}

/** Every blob is downloaded once, however many layers and pulls of this process, or other processes, want it. */
export class BlobDownloads {
  readonly #content: ContentStore;
  readonly #registry: RegistryClient;
  readonly #limiter: Limiter;
  readonly #leases = new Leases<Download>();

  constructor(content: ContentStore, registry: RegistryClient, limiter: Limiter) {
    this.#content = content;
    this.#registry = registry;
    this.#limiter = limiter;
  }

  acquire(blob: Descriptor, source: BlobSource): Promise<Lease<Download>> {
    return this.#leases.acquire(blob.digest, () => this.#begin(blob, source));
  }

  #begin(blob: Descriptor, source: BlobSource): SharedWork<Download> {
    const [board, growth, opened] = [new StatusBoard(), new GrowthNotice(), Promise.withResolvers<number>()];
    const stop = new AbortController();
    const fds: number[] = [];
    const open = (path: string): void => {
      const fd = openSync(path, "r");
      fds.push(fd);
      opened.resolve(fd);
    };
    let isResumed = false;
    const noteResumed = (value: boolean): void => {
      isResumed = value;
    };
    const done = this.#fetch(blob, source, { board, growth, open, noteResumed, signal: stop.signal });
    done.catch((error: unknown) => {
      growth.stop();
      opened.reject(error);
    });
    opened.promise.catch(() => {});
    const close = async (): Promise<void> => {
      stop.abort();
      growth.stop();
      await done.catch(() => {});
      for (const fd of fds) closeSync(fd);
    };
    return { value: { board, growth, opened: opened.promise, done, isResumed: () => isResumed }, close };
  }

  async #fetch(blob: Descriptor, source: BlobSource, to: Arrival): Promise<void> {
    const received = !this.#content.has(blob.digest) && (await this.#limiter.run(() => this.#download(blob, source, to), to.signal));
    if (received) return;
    to.open(this.#content.path(blob.digest));
    to.growth.publish(this.#content.size(blob.digest));
    to.growth.finish();
    to.board.say(layerStatus(blob.digest, "Download complete"));
  }

  /** `false` when another process brought the blob while we waited for it. */
  async #download(blob: Descriptor, source: BlobSource, to: Arrival): Promise<boolean> {
    const ingest = await this.#content.ingest(blob, { signal: to.signal });
    if (ingest === undefined) return false;
    try {
      to.noteResumed(ingest.written > 0);
      await this.#receive(ingest, blob, source, to);
      return true;
    } catch (error) {
      // What is kept for the next attempt must not be what fills the disk.
      if (isDiskFull(error)) await ingest.restart();
      throw error;
    } finally {
      await ingest.close();
    }
  }

  async #receive(ingest: Ingest, blob: Descriptor, source: BlobSource, to: Arrival): Promise<void> {
    to.open(ingest.path);
    to.growth.publish(ingest.written);
    const options = { auth: source.auth, signal: to.signal, offset: ingest.written };
    const tell = (): void => to.board.update(layerStatus(blob.digest, "Downloading", { current: ingest.written, total: blob.size }));
    tell();
    const chunks = ingest.written < blob.size ? this.#registry.blob(source.reference, blob, options) : [];
    for await (const chunk of chunks) {
      await ingest.write(chunk);
      to.growth.publish(ingest.written);
      tell();
    }
    await ingest.flush();
    to.growth.publish(ingest.written);
    to.growth.finish();
    to.board.say(layerStatus(blob.digest, "Verifying Checksum"));
    await ingest.commit();
    to.board.say(layerStatus(blob.digest, "Download complete"));
  }
}

interface Arrival {
  readonly board: StatusBoard;
  readonly growth: GrowthNotice;
  readonly open: (path: string) => void;
  readonly noteResumed: (isResumed: boolean) => void;
  readonly signal: AbortSignal;
}
