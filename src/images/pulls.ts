/** Pulls that run now: those of the same reference, platform and credentials are one. */
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { abandonable } from "../internal/abort.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import type { Credentials } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { sha256 } from "../spec/digest.ts";
import { type OciPlatform, platformToString } from "../spec/platform.ts";
import { canonicalReference, type Reference, repositoryName } from "../spec/reference.ts";
import type { PullPolicy } from "../spec/service-spec.ts";
import { lookUpImage, usableImage } from "./find-image.ts";
import type { Image } from "./image-records.ts";
import { Leases, type SharedWork } from "./leases.ts";
import { pullImage, sayResult } from "./pull-image.ts";
import { type OnPullStatus, StatusBoard } from "./pull-progress.ts";
import type { StoreParts } from "./store-parts.ts";

export interface PullImageOptions {
  readonly policy: PullPolicy;
  /** Default: the host's; then also an image that exists for another architecture only is taken. */
  readonly platform?: OciPlatform | undefined;
  /** Used for this call only. */
  readonly auth?: Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnPullStatus | undefined;
}

interface Pull {
  readonly board: StatusBoard;
  readonly result: Promise<Image>;
}

export interface PullsOptions {
  readonly parts: StoreParts;
  readonly closed: AbortSignal;
  /** Credentials for a call: its own, or those of the registry. */
  readonly account: (reference: Reference, inline: Credentials | undefined) => Promise<Credentials | undefined>;
  /** Frees what became garbage while a pull held it. */
  readonly collect: () => Promise<void>;
  readonly onWarning: ((text: string) => void) | undefined;
}

export class Pulls {
  readonly #o: PullsOptions;
  readonly #pulls = new Leases<Pull>();
  readonly #running = new Set<Promise<unknown>>();

  constructor(o: PullsOptions) {
    this.#o = o;
  }

  /**
   * Makes sure the image is there as the policy says (contract 1.4), and answers it. Pulls of the same reference, platform
   * and credentials share one download; an abort ends this call at once, and the download when nobody else wants it.
   * Throws `pull_failed`.
   */
  async pull(reference: Reference, o: PullImageOptions): Promise<Image> {
    o.signal?.throwIfAborted();
    const local = usableImage(this.#o.parts, lookUpImage(this.#o.parts.records, reference, o.platform), o.platform);
    if (local !== undefined && (o.policy === "if_not_present" || o.policy === "never")) return local;
    if (o.policy === "never") throw neverPulled(reference, o.platform);
    const auth = await this.#o.account(reference, o.auth);
    const key = pullKey(reference, o.policy, o.platform, auth);
    const lease = await this.#pulls.acquire(key, () => this.#begin(reference, { ...o, auth }));
    using _listening = o.onProgress === undefined ? undefined : lease.value.board.listen(o.onProgress);
    try {
      return await abandonable(lease.value.result, o.signal);
    } finally {
      const released = lease.release();
      // Who aborted does not wait for the cleaning up.
      if (o.signal?.aborted !== true) await released;
    }
  }

  /** Resolves once every pull is over and cleaned up after; abort them first. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#pulls.settled();
  }

  #begin(reference: Reference, o: PullImageOptions): SharedWork<Pull> {
    const board = new StatusBoard();
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#o.closed]);
    const result = this.#resolveAndPull(reference, o, board, signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : pullError(reference, error, this.#o.parts.root);
    });
    this.#running.add(result);
    result.catch(() => {}).finally(() => this.#running.delete(result));
    const close = async (): Promise<void> => {
      stop.abort();
      await result.catch(() => {});
    };
    return { value: { board, result }, close };
  }

  async #resolveAndPull(reference: Reference, o: PullImageOptions, board: StatusBoard, signal: AbortSignal): Promise<Image> {
    const say: OnPullStatus = (event) => board.say(event);
    const local = o.policy === "newer" ? usableImage(this.#o.parts, lookUpImage(this.#o.parts.records, reference, o.platform), o.platform) : undefined;
    let root: Descriptor;
    try {
      root = await this.#o.parts.registry.resolve(reference, { auth: o.auth, signal });
    } catch (error) {
      if (local === undefined || !isUnreachable(error) || signal.aborted) throw error;
      this.#o.onWarning?.(`keeping the local ${canonicalReference(reference)}: ${messageOf(error)}`);
      return local;
    }
    if (local?.repoDigests.includes(`${repositoryName(reference)}@${root.digest}`)) {
      sayResult(say, reference, root, true);
      return local;
    }
    const image = await pullImage(this.#o.parts, { reference, platform: o.platform, auth: o.auth, signal, say }, root);
    await this.#o.collect();
    return image;
  }
}

/** Everything the outcome depends on. The credentials themselves are not kept. */
function pullKey(reference: Reference, policy: PullPolicy, platform: OciPlatform | undefined, auth: Credentials | undefined): string {
  return sha256(JSON.stringify([canonicalReference(reference), policy, platform ?? null, auth ?? null]));
}

/** No answer, or one that is no decision about this image. */
function isUnreachable(error: unknown): boolean {
  const status = isBerthError(error) ? error.fields.status : undefined;
  return status === undefined || status === 429 || status >= 500;
}

function neverPulled(reference: Reference, platform: OciPlatform | undefined): BerthError {
  const image = canonicalReference(reference);
  const wanted = platform === undefined ? "" : ` for ${platformToString(platform)}`;
  const reason = `${image} is not on this machine${wanted}, and the pull policy is "never"; pull it first`;
  return new BerthError("pull_failed", reason, { image, reason });
}

/** Says which image, once, and keeps what the registry said. */
function pullError(reference: Reference, error: unknown, root: string): BerthError {
  const image = canonicalReference(reference);
  const full = `no space left on the disk that holds ${root}; free some space and pull again`;
  const reason = isDiskFull(error) ? full : messageOf(error);
  const status = isBerthError(error) ? error.fields.status : undefined;
  const message = reason.includes(image) ? reason : `cannot pull ${image}: ${reason}`;
  return new BerthError("pull_failed", message, { image, reason, status, cause: error });
}
