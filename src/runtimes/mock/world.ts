/** Everything that outlives one opened mock runtime: containers, images, volumes, addresses. Several may share it. */
import { randomBytes } from "node:crypto";
import { BerthError } from "../../errors.ts";
import { KeyedLock } from "../../internal/keyed-lock.ts";
import type { RuntimeContainerSummary } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import { hostPlatform, type OciPlatform } from "../../spec/platform.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Container } from "./container.ts";
import { ImageStore } from "./images.ts";
import { MockJournal } from "./journal.ts";
import { MockNetworks } from "./networks.ts";
import { MockPorts } from "./ports.ts";
import { type MockProgram, runUntilSignalled, type StartRefusal } from "./process.ts";
import { MockCredentials } from "./credentials.ts";
import { MockSecrets } from "./secrets.ts";
import { MockRegistry } from "./registry.ts";
import { MockVolumes } from "./volumes.ts";

/** Finds who plays an argv. `undefined` = nobody: a main process then runs until a signal, an exec is not found (127). */
export type ProgramLookup = (argv: readonly string[]) => MockProgram | StartRefusal | undefined;

export interface WorldOptions {
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  /** Source of the engine's uuid, 16 bytes. Default: the system's. */
  readonly random?: ((size: number) => Uint8Array) | undefined;
  readonly programs?: ProgramLookup | undefined;
  /** Default: this host's. */
  readonly platform?: OciPlatform | undefined;
  /** The registry of another mock (`control.registry`), for two engines that pull from one. Default: one of its own. */
  readonly registry?: MockRegistry | undefined;
  /** Where `$E:` variables come from. Default: empty. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

export class World {
  readonly clock: Clock;
  readonly uuid: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly registry: MockRegistry;
  readonly images: ImageStore;
  readonly journal: MockJournal;
  /** Settles when whoever supervises lets go. */
  leader: Promise<void> = Promise.resolve();
  readonly ports: MockPorts = new MockPorts();
  readonly networks: MockNetworks;
  readonly locks: KeyedLock = new KeyedLock();
  readonly containers: Map<string, Container> = new Map();
  readonly volumes: MockVolumes;
  readonly credentials: MockCredentials;
  readonly secrets: MockSecrets = new MockSecrets();
  readonly foreign: RuntimeContainerSummary[] = [];
  readonly scripts: { readonly argv: readonly string[]; readonly program: MockProgram | StartRefusal }[] = [];
  readonly #programs: ProgramLookup;
  #lastPid = 1000;

  constructor(o: WorldOptions) {
    this.clock = o.clock ?? systemClock;
    this.volumes = new MockVolumes(this);
    this.uuid = Buffer.from((o.random ?? randomBytes)(16)).toString("hex");
    this.journal = new MockJournal(this.clock, this.uuid);
    this.networks = new MockNetworks(this.uuid, () => this.clock.now());
    this.env = o.env ?? {};
    this.credentials = new MockCredentials(this.env);
    this.#programs = o.programs ?? (() => undefined);
    const host = o.platform ?? hostPlatform();
    this.registry = o.registry ?? new MockRegistry(host);
    this.images = new ImageStore({
      registry: this.registry,
      host,
      inUse: () => this.#imagesInUse(),
      record: (event) => this.journal.record(event),
      accountFor: (image) => this.credentials.accountFor(image),
    });
  }

  get(id: ContainerId): Container {
    const found = this.containers.get(containerIdToString(id));
    if (found === undefined) throw unknownContainer(id);
    return found;
  }

  byName(name: string): Container | undefined {
    return [...this.containers.values()].find((container) => container.name === name);
  }

  /** By any of its names: string form, native name, hex id or its prefix, human name. */
  byReference(reference: string): Container | undefined {
    const matches = (container: Container): boolean =>
      container.key === reference ||
      `berth-${container.key}` === reference ||
      container.name === reference ||
      (reference.length >= 12 && container.setup.hexId.startsWith(reference));
    return [...this.containers.values()].find(matches);
  }

  nextPid(): number {
    return ++this.#lastPid;
  }

  mainProgram(argv: readonly string[]): MockProgram | StartRefusal {
    return this.#find(argv) ?? runUntilSignalled;
  }

  execProgram(argv: readonly string[]): MockProgram | StartRefusal {
    return this.#find(argv) ?? { exitCode: 127, message: `${argv[0]}: executable file not found in $PATH` };
  }

  #find(argv: readonly string[]): MockProgram | StartRefusal | undefined {
    const scripted = this.scripts.findLast((script) => sameArgv(script.argv, argv));
    return scripted?.program ?? this.#programs(argv);
  }

  #imagesInUse(): ReadonlySet<string> {
    return new Set([...this.containers.values()].map((container) => container.setup.image.id));
  }
}

function sameArgv(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, index) => word === b[index]);
}

export function unknownContainer(id: ContainerId): BerthError {
  const container = containerIdToString(id);
  return new BerthError("not_found", `no such container: ${container}`, { container });
}
