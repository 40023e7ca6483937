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
  const options = [lowerOption(o.lower), `upperdir=${escaped(o.upper)}`, `workdir=${escaped(o.work)}`, ...plainUpper];
  return { type: "overlay", source: "overlay", target: o.target, options };
}

/** As {@link overlayMount} for reading only: at least two directories, top first; a container's upper directory may be one. */
export function overlayView(o: { readonly lower: readonly string[]; readonly target: string }): Mount {
  return { type: "overlay", source: "overlay", target: o.target, options: [lowerOption(o.lower), ...plainUpper], readonly: true };
}

/** The upper directory holds whole files under their own names, whatever the host's defaults are: `changes` and `commit` read it. */
const plainUpper = ["redirect_dir=off", "metacopy=off", "index=off"];

function lowerOption(lower: readonly string[]): string {
  return `lowerdir=${lower.map((path) => escaped(path).replaceAll(":", "\\:")).join(":")}`;
}

/** Commas end an option; a backslash takes that meaning away (kernel: ovl_next_opt). */
function escaped(path: string): string {
  return path.replaceAll("\\", "\\\\").replaceAll(",", "\\,");
}
