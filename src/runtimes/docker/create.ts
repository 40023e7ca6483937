/** Method 3. */
import type { ContainerCreateBody, ContainerCreated } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { isApiVersion } from "../../docker-api/api-version.ts";
import type { ImageInspect } from "../../docker-api/images.ts";
import { pathPart } from "../../docker-api/query.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import { completeSpec, resolveEnvironment } from "../../spec/complete-spec.ts";
import { type ContainerId, containerIdToString, initialName } from "../../spec/container-id.ts";
import type { TargetPlatform } from "../../spec/platform.ts";
import type { CompleteSpec, ServiceSpec } from "../../spec/service-spec.ts";
import type { DockerContext } from "./context.ts";
import { checkAttachments, endpointSettings, takesAllLegs } from "./attachments.ts";
import { createBody, type ImageFacts } from "./create-body.ts";
import { engineRef } from "./engine-ref.ts";
import { stampedLabels } from "./labels.ts";
import type { SharedModes } from "./network-fields.ts";
import { podmanBody } from "./podman.ts";
import { portOverride } from "./port-override.ts";
import { text, texts } from "./read.ts";

/** Everything is checked and looked up before the one call that has an effect. */
export async function createContainer(ctx: DockerContext, id: ContainerId, input: ServiceSpec): Promise<void> {
  const { spec, warnings } = completeSpec(input);
  const env = resolveEnvironment(spec.env, process.env);
  checkArgv(spec);
  await ctx.locks.run(containerIdToString(id), async () => {
    const [there, image] = await Promise.all([ctx.ids.find(id), imageFacts(ctx, spec)]);
    if (there !== undefined) throw new BerthError("conflict", `container ${containerIdToString(id)} is there already`, { container: containerIdToString(id) });
    const port = await portOverride(ctx, id, spec);
    const made = createBody(spec, {
      env: port === undefined ? env : { ...env, PORT: String(port), BERTH_PORT: String(port) },
      shared: await sharedModes(ctx, spec),
      image,
      allLegs: takesAllLegs(ctx),
    });
    await checkAttachments(ctx, spec);
    const labels = stampedLabels({ id, spec, warnings: [...warnings, ...made.warnings], port });
    const engineId = await send(ctx, id, spec, { ...(ctx.facts.isPodman ? podmanBody(made.body) : made.body), Labels: labels });
    await connectOtherLegs(ctx, engineId, spec);
    ctx.ids.remember(id, { engineId, spec, port });
  });
}

/** Known without a look at the image. */
function checkArgv({ command }: CompleteSpec): void {
  if (command.entrypoint?.length === 0 && (command.args ?? []).length === 0) {
    throw new BerthError("invalid_spec", "no command: entrypoint and args of command are both empty; give a program to run");
  }
}

async function send(ctx: DockerContext, id: ContainerId, spec: CompleteSpec, body: ContainerCreateBody): Promise<string> {
  const query = { name: initialName(id), ...platformQuery(ctx, spec.platform) };
  try {
    const created = await ctx.client.object<ContainerCreated>("POST", "/containers/create", { query, json: body, timeoutMs: createTimeoutMs });
    const engineId = text(created.Id);
    if (engineId === undefined) throw new BerthError("internal", "the engine created a container and named no id");
    return engineId;
  } catch (thrown) {
    throw createFailure(id, spec, thrown);
  }
}

/** Copying an image's volumes and labelling files may take a while. */
const createTimeoutMs = 300_000;

function createFailure(id: ContainerId, spec: CompleteSpec, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const { status, engineMessage } = thrown;
  const key = containerIdToString(id);
  if (status === 404 && /image/i.test(engineMessage)) {
    return noLocalImage(spec.image.name, thrown);
  }
  if (status !== 500) return thrown;
  // Podman answers 500 for what is wrong with the request as well.
  if (/no command|must specify a command/i.test(engineMessage)) return new BerthError("invalid_spec", `no command: ${engineMessage}`, { cause: thrown });
  if (/name .* (is )?(already )?in use/i.test(engineMessage)) return new BerthError("conflict", engineMessage, { container: key, cause: thrown });
  return new BerthError("create_failed", `cannot create container ${key}: ${engineMessage}`, { id: key, reason: engineMessage, cause: thrown });
}

function platformQuery(ctx: DockerContext, platform: TargetPlatform | undefined): { readonly platform?: string } {
  if (platform === undefined || !isApiVersion(ctx.facts.apiVersion, "1.41")) return {};
  return { platform: platformText(platform) };
}

/** `linux/arm64/v8`, as Docker's `platform` parameter wants it. */
export function platformText({ os, arch, variant }: TargetPlatform): string {
  return [os === "macos" ? "darwin" : os, arch, ...(variant === undefined ? [] : [variant])].join("/");
}

/** Undone as a whole when one of them is refused. */
async function connectOtherLegs(ctx: DockerContext, engineId: string, { networks }: CompleteSpec): Promise<void> {
  if (takesAllLegs(ctx)) return;
  try {
    for (const leg of networks.slice(1)) {
      const json = { Container: engineId, EndpointConfig: endpointSettings(leg) };
      await ctx.client.done("POST", `/networks/${pathPart(leg.name)}/connect`, { json });
    }
  } catch (thrown) {
    await ctx.client.done("DELETE", `/containers/${engineId}`, { query: { force: 1, v: 1 } });
    throw thrown;
  }
}

async function sharedModes(ctx: DockerContext, spec: CompleteSpec): Promise<SharedModes> {
  const other = (mode: string | undefined): string | undefined => /^container:(.+)$/s.exec(mode ?? "")?.[1];
  const prefixed = async (name: string | undefined): Promise<string | undefined> =>
    name === undefined ? undefined : `container:${await engineRef(ctx, name)}`;
  return {
    network: spec.networkMode.mode === "container" ? await engineRef(ctx, spec.networkMode.id) : undefined,
    pid: await prefixed(other(spec.pidMode)),
    ipc: await prefixed(other(spec.ipcMode)),
  };
}

/** A missing image is refused here, by the name the caller gave it. */
async function imageFacts(ctx: DockerContext, { image }: CompleteSpec): Promise<ImageFacts> {
  try {
    const { Config: config } = await ctx.client.object<ImageInspect>("GET", `/images/${pathPart(image.name)}/json`);
    return { entrypoint: texts(config?.Entrypoint), stopSignal: text(config?.StopSignal) };
  } catch (thrown) {
    throw isBerthError(thrown, "not_found") ? noLocalImage(image.name, thrown) : thrown;
  }
}

function noLocalImage(name: string, cause: unknown): BerthError {
  return new BerthError("not_found", `no such image: ${name}; pull it first`, { container: name, image: name, cause });
}
