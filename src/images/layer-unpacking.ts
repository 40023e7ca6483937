import { closeSync, openSync } from "node:fs";
import { BerthError, DigestMismatchError } from "../errors.ts";
import { onAbort } from "../internal/abort.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
import type { BlobDownloads, BlobSource, Download } from "./blob-downloads.ts";
import { type Lease, Leases, type SharedWork } from "./leases.ts";
import { layerStatus, StatusBoard } from "./pull-progress.ts";
import type { PendingSnapshot, SnapshotStore } from "./snapshot-store.ts";
import type { Unpacked } from "./unpack.ts";
import type { UnpackPool } from "./unpack-pool.ts";

/** One layer of an image, as manifest and config describe it. */
export interface Layer {
  readonly chainId: Digest;
  readonly parent: Digest | undefined;
  readonly diffId: Digest;
  readonly blob: Descriptor;
}

/** A layer becoming a snapshot. */
export interface LayerWork {
  readonly board: StatusBoard;
  /**
   * Resolves when it is ours to unpack, or found to be there. A pull asks for its layers base first and waits for this
   * each time, so that two processes never wait for each other.
   */
  readonly claimed: Promise<void>;
  /** What was unpacked and checked; `undefined` when the layer was there. */
  readonly ready: Promise<{ readonly pending: PendingSnapshot; readonly unpacked: Unpacked } | undefined>;
}

const extractingEveryMs = 120;

/** Every layer is downloaded and unpacked at the same time, each into a directory of its own; pulls share them. */
export class LayerUnpacking {
  readonly #snapshots: SnapshotStore;
  readonly #downloads: BlobDownloads;
  readonly #pool: UnpackPool;
  readonly #leases = new Leases<LayerWork>();

  constructor(snapshots: SnapshotStore, downloads: BlobDownloads, pool: UnpackPool) {
    this.#snapshots = snapshots;
    this.#downloads = downloads;
    this.#pool = pool;
  }

  acquire(layer: Layer, source: BlobSource): Promise<Lease<LayerWork>> {
    return this.#leases.acquire(layer.chainId, () => this.#begin(layer, source));
  }

  #begin(layer: Layer, source: BlobSource): SharedWork<LayerWork> {
    const board = new StatusBoard();
    const stop = new AbortController();
    const begun = this.#snapshots.begin(layer.chainId, stop.signal);
    const ready = begun.then(async (pending) => {
      board.say(layerStatus(layer.blob.digest, pending === undefined ? "Already exists" : "Pulling fs layer"));
      return pending && { pending, unpacked: await this.#unpackTwice(layer, pending, source, { board, signal: stop.signal }) };
    });
    const claimed = begun.then(() => {});
    for (const promise of [claimed, ready]) promise.catch(() => {});
    const close = async (): Promise<void> => {
      stop.abort();
      await ready.catch(() => {});
      await (await begun.catch(() => undefined))?.close();
    };
    return { value: { board, claimed, ready }, close };
  }

  /** A wrong digest after resuming an earlier download gets one more attempt from the start. */
  async #unpackTwice(layer: Layer, pending: PendingSnapshot, source: BlobSource, o: Attempt): Promise<Unpacked> {
    const first = await this.#downloads.acquire(layer.blob, source);
    try {
      return await this.#unpack(layer, pending, first, o);
    } catch (error) {
      if (!(error instanceof DigestMismatchError && first.value.isResumed())) throw error;
    } finally {
      await first.release();
    }
    await pending.reset();
    const second = await this.#downloads.acquire(layer.blob, source);
    try {
      return await this.#unpack(layer, pending, second, o);
    } finally {
      await second.release();
    }
  }

  async #unpack(layer: Layer, pending: PendingSnapshot, lease: Lease<Download>, o: Attempt): Promise<Unpacked> {
    const download = lease.value;
    using _listening = download.board.listen((event) => o.board.say(event));
    using _aborting = onAbort(o.signal, () => void lease.release());
    const unpacking = settled(this.#runJob(download, pending.directory));
    // The download has the first word: of a blob that is not what was promised, nothing else is worth telling.
    const downloaded = await settled(download.done);
    const unpacked = downloaded.ok ? await this.#extracting(layer.blob, download, o.board, unpacking) : await unpacking;
    o.signal.throwIfAborted();
    if (!downloaded.ok) throw downloaded.error;
    if (!unpacked.ok) throw unpacked.error;
    if (unpacked.value.diffId !== layer.diffId) {
      throw new DigestMismatchError(`content of layer ${layer.blob.digest}`, { expected: layer.diffId, actual: unpacked.value.diffId });
    }
    o.board.say(layerStatus(layer.blob.digest, "Pull complete"));
    return unpacked.value;
  }

  /** The worker reads by a descriptor of its own, so that the download may be let go while it still runs. */
  async #runJob(download: Download, directory: string): Promise<Unpacked> {
    const fd = openSync(`/proc/self/fd/${await download.opened}`, "r");
    try {
      const unpacked = await this.#pool.run({ kind: "unpack", fd, growth: download.growth.shared, directory });
      if (unpacked === undefined) throw new BerthError("internal", "the unpack worker gave no answer");
      return unpacked;
    } finally {
      closeSync(fd);
    }
  }

  async #extracting<T>(blob: Descriptor, download: Download, board: StatusBoard, unpacking: Promise<T>): Promise<T> {
    const tell = (): void => board.update(layerStatus(blob.digest, "Extracting", { current: download.growth.consumed, total: blob.size }));
    tell();
    const timer = setInterval(tell, extractingEveryMs);
    try {
      return await unpacking;
    } finally {
      clearInterval(timer);
    }
  }
}

interface Attempt {
  readonly board: StatusBoard;
  readonly signal: AbortSignal;
}

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

function settled<T>(work: Promise<T>): Promise<Settled<T>> {
  return work.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, error }),
  );
}
