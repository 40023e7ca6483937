/** Volumes of the simulated world, and the facet over them. */
import { randomBytes } from "node:crypto";
import { BerthError } from "../../errors.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import type { VolumeCreateOptions, VolumeDetails, VolumesFacet } from "../../runtime/extras.ts";
import { volumeName } from "../../spec/complete-storage.ts";
import type { Files } from "./file-tree.ts";
import type { World } from "./world.ts";

export interface MockVolume {
  readonly name: string;
  readonly anonymous: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly files: Files;
  /** Hex ids of containers. */
  readonly users: Set<string>;
}

export class MockVolumes {
  readonly #volumes = new Map<string, MockVolume>();
  readonly #world: Pick<World, "clock" | "journal">;

  constructor(world: Pick<World, "clock" | "journal">) {
    this.#world = world;
  }

  get(name: string): MockVolume {
    const found = this.#volumes.get(volumeName(name, "name"));
    if (found === undefined) throw new BerthError("not_found", `no such volume: ${name}`, { container: name, reason: "no such volume" });
    return found;
  }

  list(): readonly MockVolume[] {
    return [...this.#volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  create(o: VolumeCreateOptions): MockVolume {
    if (o.driver !== undefined && o.driver !== "local") throw new BerthError("unsupported", `volume driver ${JSON.stringify(o.driver)} is not supported`);
    checkOptions(o.options ?? {});
    const name = o.name === undefined || o.name === "" ? undefined : volumeName(o.name, "name");
    const there = name === undefined ? undefined : this.#volumes.get(name);
    if (there === undefined) return this.#add(name ?? anonymousName(), { ...o, anonymous: name === undefined });
    if (!sameOptions(there.options, o.options ?? {})) throw new BerthError("conflict", `volume ${name} exists with other options; remove it first`);
    return there;
  }

  /** Made on first use; the user holds it until {@link release}. */
  take(name: string | undefined, user: string): MockVolume {
    const there = name === undefined ? undefined : this.#volumes.get(name);
    const volume = there ?? this.#add(name ?? anonymousName(), { anonymous: name === undefined });
    volume.users.add(user);
    return volume;
  }

  release(user: string, keepAnonymous: boolean): void {
    for (const volume of this.list()) {
      if (!volume.users.delete(user)) continue;
      if (volume.anonymous && volume.users.size === 0 && !keepAnonymous) this.#delete(volume.name);
    }
  }

  remove(name: string, force: boolean): void {
    if (force && !this.#volumes.has(volumeName(name, "name"))) return;
    const { users } = this.get(name);
    if (users.size > 0) throw new BerthError("conflict", `volume ${name} is in use by ${[...users].join(", ")}; remove what uses it first`);
    this.#delete(name);
  }

  prune(o: { readonly all?: boolean | undefined; readonly labels?: readonly string[] | undefined }): { deleted: readonly string[]; spaceReclaimed: number } {
    const unused = this.list().filter((volume) => volume.users.size === 0 && (o.all || volume.anonymous) && matchesLabels(volume.labels, o.labels ?? []));
    for (const { name } of unused) this.#delete(name);
    return { deleted: unused.map(({ name }) => name), spaceReclaimed: unused.reduce((sum, volume) => sum + sizeOf(volume.files), 0) };
  }

  #add(name: string, o: { readonly anonymous: boolean } & Pick<VolumeCreateOptions, "labels" | "options">): MockVolume {
    const { anonymous, labels = {}, options = {} } = o;
    const volume: MockVolume = { name, anonymous, labels, options, createdAt: this.#world.clock.now(), files: new Map(), users: new Set() };
    this.#volumes.set(name, volume);
    this.#record("create", name);
    return volume;
  }

  #delete(name: string): void {
    this.#volumes.delete(name);
    this.#record("destroy", name);
  }

  #record(action: string, name: string): void {
    this.#world.journal.record({ type: "volume", action, actor: { id: name, attributes: { driver: "local" } } });
  }
}

/** `begin` throws when the runtime is closed or the call aborted. */
export function mockVolumesFacet(volumes: MockVolumes, begin: (signal: AbortSignal | undefined) => void): VolumesFacet {
  const after = async <T>(signal: AbortSignal | undefined, work: () => T): Promise<T> => {
    begin(signal);
    return work();
  };
  return {
    create: (options, o) => after(o?.signal, () => details(volumes.create(options))),
    inspect: (name, o) => after(o?.signal, () => details(volumes.get(name))),
    list: (o) => after(o?.signal, () => volumes.list().map(details)),
    remove: (name, o) => after(o?.signal, () => volumes.remove(name, o?.force === true)),
    sync: (names, o) =>
      after(o?.signal, () => {
        for (const name of names ?? []) volumes.get(name);
        return [];
      }),
    prune: (o) => after(o?.signal, () => volumes.prune(o ?? {})),
  };
}

export function sizeOf(files: Files): number {
  return [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
}

function details(volume: MockVolume): VolumeDetails {
  const { name, labels, options, anonymous, createdAt, users } = volume;
  return { name, driver: "local", mountpoint: `volume:${name}`, createdAt, labels, options, anonymous, usedBy: [...users] };
}

function checkOptions(options: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(options).filter((key) => !["type", "o", "device"].includes(key));
  if (unknown.length > 0) throw new BerthError("invalid_spec", `unknown volume option ${unknown.join(", ")}; there are type, o and device`);
  const { type = "none" } = options;
  if (!["none", "tmpfs", "nfs", "nfs4"].includes(type)) throw new BerthError("unsupported", `volume option type=${type} is not supported`);
}

function sameOptions(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

function anonymousName(): string {
  return randomBytes(32).toString("hex");
}
