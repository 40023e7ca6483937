/** What an entry's name means inside a layer (image-spec layer.md "Whiteouts"). Pure: nothing here touches a disk. */
import { malformed } from "../archive/tar-header.ts";
import type { TarEntry } from "../archive/tar-reader.ts";

export type LayerTarget =
  /** `path` has no leading slash, no `.` and no `..`; it is empty for the layer's root. */
  | { readonly kind: "path"; readonly path: string }
  /** What the lower layers have at `path` is gone. */
  | { readonly kind: "whiteout"; readonly path: string }
  /** What the lower layers have in the directory `path` is gone. */
  | { readonly kind: "opaque"; readonly path: string }
  /** Bookkeeping of aufs, of no meaning. */
  | { readonly kind: "skip" };

const whiteoutPrefix = ".wh.";
const metaPrefix = ".wh..wh.";
const opaqueMarker = ".wh..wh..opq";

/** Throws `pull_failed` for names that leave the layer and for malformed whiteouts. */
export function layerTarget(entry: Pick<TarEntry, "name" | "type">): LayerTarget {
  const components = normalName(entry.name, entry.name);
  const base = components.at(-1);
  const parents = components.slice(0, -1);
  if (parents.some((component) => component.startsWith(metaPrefix))) return { kind: "skip" };
  if (parents.some((component) => component.startsWith(whiteoutPrefix))) throw malformed("a whiteout is no directory", entry.name);
  if (base === undefined || !base.startsWith(whiteoutPrefix)) return { kind: "path", path: components.join("/") };
  if (base === opaqueMarker) return { kind: "opaque", path: parents.join("/") };
  if (base.startsWith(metaPrefix)) return { kind: "skip" };
  const hidden = base.slice(whiteoutPrefix.length);
  if (hidden === "" || hidden === "." || hidden === "..") throw malformed("a whiteout names nothing", entry.name);
  if (entry.type !== "file" && entry.type !== "hardlink") throw malformed(`a whiteout cannot be a ${entry.type}`, entry.name);
  return { kind: "whiteout", path: [...parents, hidden].join("/") };
}

/** The target of a hardlink, which is a name from the layer's root. */
export function hardlinkTarget(entry: Pick<TarEntry, "name" | "linkName">): string {
  return normalName(entry.linkName, entry.name).join("/");
}

/** Splits a name and resolves `.` and `..`; a leading slash is the layer's root. */
function normalName(name: string, entry: string): string[] {
  const components: string[] = [];
  for (const component of name.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (name.startsWith("/") || components.pop() === undefined) throw malformed(`${JSON.stringify(name)} leads out of the layer`, entry);
  }
  return components;
}
