/** The extras of a composite: each is there when a child has it, and goes the way the 49 methods go. */
import { BerthError, UnsupportedError } from "../../errors.ts";
import type { DiskUsage, RuntimeExtras, RuntimeInfo } from "../../runtime/extras.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { Children, CompositeChild } from "./children.ts";
import { compositeCredentials } from "./credentials.ts";
import { mergedEvents } from "./events.ts";
import { compositeNetworks } from "./networks.ts";
import type { Owners } from "./owners.ts";
import { compositeSecrets } from "./secrets.ts";
import { compositeVolumes } from "./volumes.ts";

type ContainerExtra = "attachContainer" | "resizeContainer" | "restartContainer" | "openExec";
type ImageExtra = "pushImage" | "resolveImage";

export function compositeExtras(children: Children, owners: Owners): RuntimeExtras {
  const extras = {
    attachContainer: async (id: ContainerId, ...rest) => await (await ownersExtra(owners, id, "attachContainer"))(id, ...rest),
    resizeContainer: async (id: ContainerId, ...rest) => await (await ownersExtra(owners, id, "resizeContainer"))(id, ...rest),
    restartContainer: async (id: ContainerId, ...rest) => await (await ownersExtra(owners, id, "restartContainer"))(id, ...rest),
    openExec: async (id: ContainerId, ...rest) => await (await ownersExtra(owners, id, "openExec"))(id, ...rest),
    pushImage: async (image, ...rest) => await (await holdersExtra(children, image, "pushImage"))(image, ...rest),
    resolveImage: async (...args) => await extraOf(children.primary, "resolveImage")(...args),
    events: async (o) => mergedEvents(children, o),
    diskUsage: async (o) => mergedUsage(await Promise.all(having(children, "diskUsage").map((child) => extraOf(child, "diskUsage")(o)))),
    volumes: compositeVolumes(children),
    credentials: compositeCredentials(children),
    secrets: compositeSecrets(children),
    checkLogin: async (...args) => await extraOf(having(children, "checkLogin")[0] ?? children.primary, "checkLogin")(...args),
    networks: compositeNetworks(children, owners),
    info: async () => await infoOf(children),
  } satisfies RuntimeExtras;
  return onlyWhere(extras, (name) => name === "info" || having(children, name).length > 0);
}

function having(children: Children, name: keyof RuntimeExtras): readonly CompositeChild[] {
  return children.all.filter(({ runtime }) => runtime.extras?.[name] !== undefined);
}

function onlyWhere(extras: RuntimeExtras, isThere: (name: keyof RuntimeExtras) => boolean): RuntimeExtras {
  const names = Object.keys(extras) as (keyof RuntimeExtras)[];
  return Object.fromEntries(names.filter(isThere).map((name) => [name, extras[name]]));
}

/** One extra of one child, as a function of its own. */
function extraOf<K extends ContainerExtra | ImageExtra | "diskUsage" | "checkLogin">(child: CompositeChild, name: K): NonNullable<RuntimeExtras[K]> {
  const extra = child.runtime.extras?.[name];
  if (extra === undefined) throw new UnsupportedError(name, child.name, "the backend has none");
  return extra.bind(child.runtime.extras) as NonNullable<RuntimeExtras[K]>;
}

async function ownersExtra<K extends ContainerExtra>(owners: Owners, id: ContainerId, name: K): Promise<NonNullable<RuntimeExtras[K]>> {
  return extraOf(owners.known(id) ?? (await owners.find(id)), name);
}

async function holdersExtra<K extends ImageExtra>(children: Children, image: string, name: K): Promise<NonNullable<RuntimeExtras[K]>> {
  const holder = await children.first(async (runtime) => {
    await runtime.inspectImageNative(image);
    return runtime;
  });
  const child = children.all.find(({ runtime }) => runtime === holder);
  if (child === undefined) throw new BerthError("internal", "the composite lost a child");
  return extraOf(child, name);
}

function mergedUsage(all: readonly DiskUsage[]): DiskUsage {
  return {
    images: all.flatMap(({ images }) => images),
    containers: all.flatMap(({ containers }) => containers),
    volumes: all.flatMap(({ volumes }) => volumes),
    layersBytes: all.reduce((sum, { layersBytes }) => sum + layersBytes, 0),
  };
}

async function infoOf(children: Children): Promise<RuntimeInfo> {
  const infos = await Promise.all(children.all.map(async ({ name, runtime }) => ({ name, info: await runtime.extras?.info?.() })));
  const facts = infos.flatMap(({ name, info }) => Object.entries(info?.facts ?? {}).map(([key, text]) => [`${name}: ${key}`, text] as const));
  return {
    backend: "composite",
    version: infos[0]?.info?.version ?? "",
    facts: { backends: children.all.map(({ name }, index) => (index === 0 ? `${name} (primary)` : name)).join(", "), ...Object.fromEntries(facts) },
    warnings: infos.flatMap(({ name, info }) => (info?.warnings ?? []).map((text) => `${name}: ${text}`)),
  };
}
