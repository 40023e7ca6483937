/** Which backend gets a container (contract 3.4): the first rule that says something wins. */
import { BerthError, isBerthError } from "../../errors.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import type { ServiceSpec } from "../../spec/service-spec.ts";
import type { Children, CompositeChild } from "./children.ts";

export const isolationLabel = "dev.berth.isolation";
export const runtimeAnnotation = "dev.berth.runtime";

const wasmTypes: ReadonlySet<string> = new Set([
  "application/vnd.wasm.component.v1+wasm",
  "application/vnd.wasm.module.v1+wasm",
  "application/vnd.wasm.config.v1+json",
  "application/vnd.wasm.content.layer.v1.wasm",
  "application/wasm",
]);

/**
 * Throws `invalid_spec` when the label or annotation names a backend that is not there, `route_to_peer` when none runs the
 * wanted operating system.
 */
export async function chooseChild(children: Children, spec: ServiceSpec): Promise<CompositeChild> {
  const label = spec.labels?.[isolationLabel];
  if (label !== undefined) return namedChild(children, label, `label ${isolationLabel}`);
  const name = typeof spec.image === "string" ? spec.image : spec.image.name;
  const image = await cachedImage(children, name);
  const annotation = image?.annotations?.[runtimeAnnotation];
  if (annotation !== undefined) return namedChild(children, annotation, `annotation ${runtimeAnnotation} of ${name}`);
  if (isWasm(image) || spec.serviceType?.startsWith("wasm_") === true) return namedChild(children, "wasm", `WebAssembly in ${name}`);
  const os = spec.platform?.os ?? imageOs(image);
  return os === undefined ? children.primary : childForOs(children, os, name);
}

/** The primary where it runs this operating system, else the first that does. */
export function childForOs(children: Children, os: string, service: string): CompositeChild {
  const child = children.all.find((one) => one.os.includes(os));
  if (child !== undefined) return child;
  const reason = `no backend here runs ${os}; there are ${children.all.map(({ name, os: runs }) => `${name} (${runs.join(", ")})`).join(", ")}`;
  throw new BerthError("route_to_peer", `${service}: ${reason}`, { service, requiredOs: os, reason });
}

function namedChild(children: Children, name: string, source: string): CompositeChild {
  const child = children.byName(name);
  if (child !== undefined) return child;
  throw new BerthError("invalid_spec", `${source} asks for the backend ${JSON.stringify(name)}; there are ${children.all.map((one) => one.name).join(", ")}`);
}

/** What a child has on disk about the image; a choice costs no network traffic. */
async function cachedImage(children: Children, image: string): Promise<ImageInspectInfo | undefined> {
  for (const { runtime } of children.all) {
    try {
      return await runtime.inspectImageNative(image);
    } catch (error) {
      if (!isBerthError(error, "not_found") && !isBerthError(error, "unsupported")) throw error;
    }
  }
  return undefined;
}

function isWasm(image: ImageInspectInfo | undefined): boolean {
  return image?.mediaTypes?.some((type) => wasmTypes.has(type)) === true;
}

/** `darwin` in images is `macos` in specs. */
function imageOs(image: ImageInspectInfo | undefined): string | undefined {
  return image?.os === "darwin" ? "macos" : image?.os;
}
