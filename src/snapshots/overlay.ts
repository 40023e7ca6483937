import { BerthError } from "../errors.ts";
import type { Mount } from "../spec/mount.ts";

/** The kernel's limit (OVL_MAX_STACK). */
export const maxLayers = 500;

/**
 * The overlayfs mount of a container's root file system. `lower` is top first, as overlayfs wants it; an image without
 * layers has an empty directory there. More than {@link maxLayers} layers are `invalid_spec`.
 */
export function overlayMount(o: { readonly lower: readonly string[]; readonly upper: string; readonly work: string; readonly target: string }): Mount {
  if (o.lower.length === 0) throw new BerthError("invalid_spec", "an overlay needs at least one lower directory");
  if (o.lower.length > maxLayers) {
    throw new BerthError("invalid_spec", `the image has ${o.lower.length} layers, and overlayfs takes at most ${maxLayers}; squash some of them`);
  }
  const lower = o.lower.map((path) => escaped(path).replaceAll(":", "\\:")).join(":");
  const options = [`lowerdir=${lower}`, `upperdir=${escaped(o.upper)}`, `workdir=${escaped(o.work)}`];
  return { type: "overlay", source: "overlay", target: o.target, options };
}

/** Commas end an option; a backslash takes that meaning away (kernel: ovl_next_opt). */
function escaped(path: string): string {
  return path.replaceAll("\\", "\\\\").replaceAll(",", "\\,");
}
