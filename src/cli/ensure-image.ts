import { isBerthError } from "../errors.ts";
import type { ImagesFacet } from "../runtime/runtime.ts";
import type { CallOptions } from "../runtime/types.ts";
import { platformMatches, type TargetPlatform, toOciPlatform } from "../spec/platform.ts";
import { familiarName, parseReference, canonicalReference } from "../spec/reference.ts";
import type { CliOutput } from "./host.ts";
import { pullRenderer } from "./terminal/progress.ts";

export interface PullRequest extends CallOptions {
  readonly image: string;
  readonly platform?: TargetPlatform | undefined;
  /** Where progress goes; absent = nowhere. */
  readonly output?: CliOutput | undefined;
}

/** Pulls with progress and answers the canonical reference. */
export async function pullWithProgress(runtime: Pick<ImagesFacet, "pullImageStream">, request: PullRequest): Promise<string> {
  const renderer = request.output && pullRenderer(request.output);
  let reference = request.image;
  try {
    const events = await runtime.pullImageStream(request.image, undefined, { platform: request.platform, signal: request.signal });
    for await (const event of events) {
      if (event.kind === "done") reference = event.reference;
      else renderer?.show(event);
    }
  } finally {
    renderer?.close();
  }
  return reference;
}

type Policy = "always" | "missing" | "never" | "newer";

/** Makes the image local as `--pull` says. With `never` a missing image is left for `createContainer` to refuse. */
export async function ensureImage(
  runtime: Pick<ImagesFacet, "pullImageStream" | "pullImageWithPolicy" | "inspectImageNative">,
  policy: Policy,
  request: PullRequest,
): Promise<void> {
  switch (policy) {
    case "never":
      return;
    case "newer":
      return runtime.pullImageWithPolicy(request.image, "newer", undefined, { platform: request.platform, signal: request.signal });
    case "always":
      await pullWithProgress(runtime, request);
      return;
    case "missing":
      if (await isLocal(runtime, request)) return;
      request.output?.write(`Unable to find image '${displayName(request.image)}' locally\n`);
      await pullWithProgress(runtime, request);
      return;
    default:
      policy satisfies never;
  }
}

/** Whether an image of that name, and of that platform if one is asked for, is in the store. */
async function isLocal(runtime: Pick<ImagesFacet, "inspectImageNative">, { image, platform, signal }: PullRequest): Promise<boolean> {
  try {
    const found = await runtime.inspectImageNative(image, { signal });
    if (platform === undefined || found.os === undefined || found.architecture === undefined) return true;
    return platformMatches(toOciPlatform(platform), { os: found.os, architecture: found.architecture, variant: found.variant });
  } catch (error) {
    if (isBerthError(error, "not_found") && isName(image)) return false;
    throw error;
  }
}

/** An id, or the beginning of one, cannot be pulled. */
function isName(image: string): boolean {
  return !/^sha256:[0-9a-f]+$/.test(image);
}

/** `alpine` → `alpine:latest`, as Docker names what it looks for. */
export function displayName(image: string): string {
  return familiarName(canonicalReference(parseReference(image)));
}
