/**
 * What work in progress needs, so that nobody removes it: one file per operation, locked by its process and listing digests
 * (of blobs, layers and images). A lease ends with its process; the digests are noted before it is looked whether they are there.
 */
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "../internal/file-lock.ts";
import type { Digest } from "../spec/digest.ts";

export class ContentLeases {
  readonly #directory: string;
  readonly #gate: string;

  constructor(root: string) {
    this.#directory = join(root, "content", "leases");
    this.#gate = join(root, "content", "gate.lock");
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  async begin(digests: readonly Digest[] = []): Promise<ContentLease> {
    return this.#atGate(() => {
      const path = join(this.#directory, randomUUID());
      const lock = FileLock.tryAcquire(path);
      if (lock === undefined) throw new Error(`the new lease ${path} is held by somebody`);
      if (digests.length > 0) write(path, digests);
      return new ContentLease(lock, (more) => this.#atGate(() => write(path, more)));
    });
  }

  /** Runs while no lease begins or grows, with everything that is leased. Must be short: pulls and creates wait. */
  async whileStill<T>(run: (leased: ReadonlySet<string>) => T): Promise<T> {
    return this.#atGate(() => run(this.#all()));
  }

  /** Of processes that are gone. */
  async removeDead(): Promise<void> {
    await this.#atGate(() => this.#all());
  }

  async #atGate<T>(run: () => T): Promise<T> {
    using _gate = FileLock.tryAcquire(this.#gate) ?? (await FileLock.acquire(this.#gate));
    return run();
  }

  /** Leases of dead processes are removed on the way. */
  #all(): ReadonlySet<string> {
    const leased = new Set<string>();
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      const dead = FileLock.tryAcquire(path);
      if (dead !== undefined) dead.releaseAndDelete();
      else for (const digest of readFileSync(path, "utf8").split("\n")) leased.add(digest);
    }
    return leased;
  }
}

export class ContentLease implements Disposable {
  readonly #lock: FileLock;
  readonly #add: (digests: readonly Digest[]) => Promise<void>;

  constructor(lock: FileLock, add: (digests: readonly Digest[]) => Promise<void>) {
    this.#lock = lock;
    this.#add = add;
  }

  /** From here on they stay, if they are there. */
  add(digests: readonly Digest[]): Promise<void> {
    return this.#add(digests);
  }

  /** Idempotent. */
  release(): void {
    this.#lock.releaseAndDelete();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function write(path: string, digests: readonly Digest[]): void {
  appendFileSync(path, `${digests.join("\n")}\n`);
}
