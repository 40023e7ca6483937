/** Methods 1, 2, 24, 25 and 30 on the image store. */
import type { Image } from "../../images/image-records.ts";
import { BerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { PullOptions } from "../../runtime/runtime.ts";
import type { ImageInfo, ImageInspectInfo, PullProgress, RegistryAuth } from "../../runtime/types.ts";
import { toOciPlatform } from "../../spec/platform.ts";
import { canonicalReference, parseReference, type Reference, repositoryName } from "../../spec/reference.ts";
import type { PullPolicy } from "../../spec/service-spec.ts";
import type { NativeContext } from "./context.ts";
import { progressStream } from "./progress-stream.ts";

const policies: readonly PullPolicy[] = ["always", "newer", "if_not_present", "never"];

export async function pullImage(ctx: NativeContext, image: string, policy: PullPolicy, auth: RegistryAuth | undefined, o: PullOptions): Promise<void> {
  const reference = parseReference(image);
  if (!policies.includes(policy)) throw new BerthError("invalid_spec", `unknown pull policy ${JSON.stringify(policy)}; known are ${policies.join(", ")}`);
  await ctx.images.pull(reference, {
    policy: o.sourcePolicy === "local_only" ? "never" : policy,
    platform: o.platform === undefined ? undefined : toOciPlatform(o.platform),
    auth,
    signal: o.signal,
  });
}

/** Status lines as they come, then exactly one `done`. Leaving the loop cancels the pull unless another one shares it. */
export function pullProgress(ctx: NativeContext, image: string, auth: RegistryAuth | undefined, o: PullOptions): AsyncIterable<PullProgress> {
  const reference = parseReference(image);
  o.signal?.throwIfAborted();
  const platform = o.platform === undefined ? undefined : toOciPlatform(o.platform);
  return guardedStream(
    (stop) =>
      progressStream<PullProgress, Image>(
        (say) => ctx.images.pull(reference, { policy: "always", platform, auth, signal: stop, onProgress: say }),
        (pulled) => ({ kind: "done", reference: canonicalReference(reference), digest: resolvedDigest(pulled, reference) }),
      ),
    o.signal,
  );
}

/** What the registry calls the reference: the index where there is one, as the `Digest:` line says too. */
function resolvedDigest(image: Image, reference: Reference): string {
  const prefix = `${repositoryName(reference)}@`;
  return image.repoDigests.find((digest) => digest.startsWith(prefix))?.slice(prefix.length) ?? image.manifestDigest;
}

/** One entry per tag; an untagged image stands under its id. */
export function listImages(ctx: NativeContext): ImageInfo[] {
  return ctx.images
    .list()
    .flatMap((image) => {
      const names = image.names.length > 0 ? image.names : [image.id];
      const created = image.config.created === undefined ? undefined : new Date(image.config.created);
      return names.map((reference) => ({ reference, digest: image.manifestDigest, sizeBytes: image.sizeBytes, id: image.id, created }));
    })
    .sort((a, b) => (a.reference < b.reference ? -1 : 1));
}

export function inspectImage(ctx: NativeContext, name: string): ImageInspectInfo {
  const image = ctx.images.mustFind(name);
  const { config } = image;
  const { config: container } = config;
  return {
    id: image.id,
    repoTags: image.names,
    repoDigests: image.repoDigests,
    created: config.created,
    author: config.author,
    comment: config.comment,
    container: config.container,
    dockerVersion: config.dockerVersion,
    parent: config.parent,
    architecture: config.architecture,
    variant: config.variant,
    os: config.os,
    size: image.sizeBytes,
    layers: config.rootfs.diffIds,
    env: container.env,
    cmd: container.cmd,
    entrypoint: container.entrypoint,
    workingDir: container.workingDir,
    user: container.user,
    labels: container.labels,
    exposedPorts: container.exposedPorts,
    volumes: container.volumes,
    stopSignal: container.stopSignal,
    healthcheck: container.healthcheck,
    onBuild: container.onBuild,
  };
}
