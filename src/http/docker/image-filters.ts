/** Filters of `docker images`. */
import { assertFilterKeys, type Filters } from "../../docker-api/filters.ts";
import type { ImageInfo, ImageInspectInfo } from "../../runtime/types.ts";
import { HttpError } from "../status.ts";
import type { DockerEngine } from "./engine.ts";
import { familiar } from "./images.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { untilOf } from "./prune-filters.ts";

export interface ListedImage {
  readonly tags: readonly ImageInfo[];
  readonly info: ImageInspectInfo;
}

export async function imageFilter(engine: DockerEngine, listed: readonly ListedImage[], filters: Filters): Promise<(image: ListedImage) => boolean> {
  assertFilterKeys(filters, ["before", "dangling", "label", "label!", "reference", "since", "until"]);
  const dangling = danglingOf(filters);
  const before = await boundary(engine, filters["before"]?.[0]);
  const since = await boundary(engine, filters["since"]?.[0]);
  const until = untilOf(filters)?.getTime();
  const references = filters["reference"] ?? [];
  return ({ info }) =>
    (dangling === undefined || dangling === (info.repoTags.length === 0)) &&
    (before === undefined || created(info) < before) &&
    (since === undefined || created(info) > since) &&
    (until === undefined || created(info) < until) &&
    matchesLabels(info.labels, filters["label"] ?? []) &&
    (references.length === 0 ||
      familiar([...info.repoTags, ...info.repoDigests]).some((name) => references.some((pattern) => matchesReference(name, pattern)))) &&
    listed.length > 0;
}

function danglingOf(filters: Filters): boolean | undefined {
  const [text] = filters["dangling"] ?? [];
  if (text === undefined) return undefined;
  if (!["true", "false", "1", "0"].includes(text)) throw new HttpError(400, `invalid filter 'dangling=${text}'`);
  return text === "true" || text === "1";
}

async function boundary(engine: DockerEngine, name: string | undefined): Promise<number | undefined> {
  return name === undefined ? undefined : created(await engine.runtime.inspectImageNative(name));
}

function created(info: ImageInspectInfo): number {
  return Date.parse(info.created ?? "") || 0;
}

/** `*` and `?` within a path component; a pattern without tag or registry fits whatever has one. */
export function matchesReference(name: string, pattern: string): boolean {
  if (pattern.length > 300) throw new HttpError(400, "the reference filter is too long");
  const expression = new RegExp(
    `^${pattern
      .replace(/[.+^$()|[\]{}\\]/g, "\\$&")
      .replace(/\*+/g, "[^/]*")
      .replaceAll("?", "[^/]")}$`,
  );
  const repository = name.replace(/@.*$|:[^/:]*$/, "");
  const parts = repository.split("/");
  return [name, repository, ...parts.map((_, i) => parts.slice(i).join("/"))].some((candidate) => expression.test(candidate));
}
