/** POST /commit */
import type { ContainerConfig } from "../../docker-api/container-config.ts";
import type { Call } from "../call.ts";
import { boolParam, textParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { withContainer } from "./container-ref.ts";
import { readCreateBody } from "./create-shape.ts";
import type { DockerEngine } from "./engine.ts";

export async function commitContainer(engine: DockerEngine, call: Call): Promise<void> {
  const { query } = call;
  const ref = textParam(query, "container");
  if (ref === undefined) throw new HttpError(400, "container must be given");
  const config = readCreateBody(await call.json());
  const changes = [...instructions(config), ...query.getAll("changes").flatMap((text) => text.split("\n"))].filter((line) => line.trim() !== "");
  const repo = textParam(query, "repo");
  const outcome = await withContainer(engine, ref, ({ id }) =>
    engine.runtime.commitContainer(id, {
      repo,
      tag: textParam(query, "tag"),
      comment: textParam(query, "comment"),
      author: textParam(query, "author"),
      pause: boolParam(query, "pause", true),
      changes: changes.length === 0 ? undefined : changes.join("\n"),
    }),
  );
  call.answer(201, { Id: outcome.id });
}

/** A config in the body says the same as instructions of a Dockerfile. */
function instructions(config: ContainerConfig): string[] {
  const lines: string[] = [];
  const add = (instruction: string, value: string | undefined): void => {
    if (value) lines.push(`${instruction} ${value}`);
  };
  for (const entry of config.Env ?? [])
    if (entry.includes("=")) add("ENV", `${entry.slice(0, entry.indexOf("="))}=${JSON.stringify(entry.slice(entry.indexOf("=") + 1))}`);
  for (const [key, value] of Object.entries(config.Labels ?? {})) add("LABEL", `${JSON.stringify(key)}=${JSON.stringify(value)}`);
  for (const port of Object.keys(config.ExposedPorts ?? {})) add("EXPOSE", port);
  for (const path of Object.keys(config.Volumes ?? {})) add("VOLUME", JSON.stringify([path]));
  add("USER", config.User);
  add("WORKDIR", config.WorkingDir);
  add("STOPSIGNAL", config.StopSignal);
  if (config.Entrypoint != null && config.Entrypoint.length > 0) add("ENTRYPOINT", JSON.stringify(config.Entrypoint));
  if (config.Cmd != null && config.Cmd.length > 0) add("CMD", JSON.stringify(config.Cmd));
  return lines;
}
