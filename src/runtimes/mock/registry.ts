/** The registry the mock pulls from: images somebody put there, and whether it answers. */
import { BerthError } from "../../errors.ts";
import type { RegistryAuth } from "../../runtime/types.ts";
import { sha256, type Digest } from "../../spec/digest.ts";
import type { ImageConfig } from "../../spec/image-config.ts";
import { platformMatches, platformToString, type OciPlatform } from "../../spec/platform.ts";
import { canonicalReference, parseReference } from "../../spec/reference.ts";

/** An image to be pulled. What is absent is empty; the platform is the host's. */
export interface MockImage {
  readonly config?: Partial<ImageConfig["config"]> | undefined;
  readonly platform?: OciPlatform | undefined;
  readonly created?: string | undefined;
  readonly history?: ImageConfig["history"] | undefined;
  /** Unpacked size per layer. Default: one layer of 1 MiB. */
  readonly layerSizes?: readonly number[] | undefined;
  /** Demand this account. */
  readonly account?: { readonly username: string; readonly password: string } | undefined;
}

export interface PublishedImage {
  readonly image: MockImage;
  readonly reference: string;
  readonly config: ImageConfig;
  readonly id: Digest;
  readonly manifestDigest: Digest;
  readonly layerSizes: readonly number[];
}

export class MockRegistry {
  readonly #images = new Map<string, PublishedImage>();
  #reachable = true;
  /** How often each reference was downloaded. */
  readonly downloads: Map<string, number> = new Map();
  readonly #host: OciPlatform;

  constructor(host: OciPlatform) {
    this.#host = host;
  }

  publish(name: string, image: MockImage): PublishedImage {
    const reference = canonicalReference(parseReference(name));
    const layerSizes = image.layerSizes ?? [1024 * 1024];
    const config = completeConfig(image, this.#host, layerSizes);
    const id = sha256(JSON.stringify(config));
    const published: PublishedImage = { image, reference, config, id, manifestDigest: sha256(`manifest of ${id}`), layerSizes };
    this.#images.set(reference, published);
    return published;
  }

  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
  }

  get isReachable(): boolean {
    return this.#reachable;
  }

  references(): readonly string[] {
    return [...this.#images.keys()];
  }

  /** Takes what somebody pushes. */
  accept(reference: string, image: PublishedImage): void {
    this.#images.set(reference, { ...image, reference });
  }

  /** Throws `pull_failed` as a registry client would. */
  resolve(reference: string, platform: OciPlatform, auth: RegistryAuth | undefined): PublishedImage {
    const published = this.look(reference, auth);
    if (!platformMatches(platform, published.config)) throw refused(reference, `no matching manifest for ${platformToString(platform)}`);
    return published;
  }

  /** Likewise, whatever it is for. */
  look(reference: string, auth: RegistryAuth | undefined): PublishedImage {
    if (!this.#reachable) throw refused(reference, "the registry cannot be reached; check the network and the registry's address");
    const published = this.#find(reference);
    if (published === undefined) throw refused(reference, "the registry does not know it; check name and tag", 404);
    const { account } = published.image;
    if (account !== undefined && !mayPull(account, auth)) throw refused(reference, "access denied; check user name and password", 401);
    return published;
  }

  /** Whether some image of that registry is for this account, or none of them needs one. */
  takes(registry: string, auth: RegistryAuth): boolean {
    const here = [...this.#images].filter(([name]) => parseReference(name).registry === registry).map(([, { image }]) => image.account);
    const accounts = here.filter((account) => account !== undefined);
    return accounts.length === 0 || accounts.some((account) => mayPull(account, auth));
  }

  #find(reference: string): PublishedImage | undefined {
    const { digest } = parseReference(reference);
    if (digest === undefined) return this.#images.get(reference);
    return [...this.#images.values()].find((image) => image.manifestDigest === digest);
  }
}

function mayPull(account: { readonly username: string; readonly password: string }, auth: RegistryAuth | undefined): boolean {
  return auth !== undefined && auth.username === account.username && auth.password === account.password;
}

function refused(image: string, reason: string, status?: number): BerthError {
  return new BerthError("pull_failed", `cannot pull ${image}: ${reason}`, { image, reason, status });
}

function completeConfig(image: MockImage, host: OciPlatform, layerSizes: readonly number[]): ImageConfig {
  const platform = image.platform ?? host;
  return {
    os: platform.os,
    architecture: platform.architecture,
    variant: platform.variant,
    created: image.created ?? "2026-01-01T00:00:00Z",
    config: { exposedPorts: [], env: [], entrypoint: [], cmd: [], volumes: [], labels: {}, onBuild: [], ...image.config },
    rootfs: { diffIds: layerSizes.map((size, index) => sha256(`layer ${index} of ${size} bytes`)) },
    history: image.history ?? [],
  };
}
