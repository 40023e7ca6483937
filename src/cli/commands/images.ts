import { Command } from "commander";
import type { ImageInfo } from "../../runtime/types.ts";
import { canonicalReference, familiarName, parseReference, type Reference, repositoryName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { type FilterTest, parseFilters } from "../flags/filters.ts";
import { listOption } from "../flags/values.ts";
import { type Row, renderRows } from "../format/rows.ts";
import { decimalSize } from "../format/size.ts";
import { timeAgo } from "../format/time.ts";

interface ImagesOptions {
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly digests?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
}

const titles = { Repository: "REPOSITORY", Tag: "TAG", Digest: "DIGEST", ID: "IMAGE ID", CreatedSince: "CREATED", Size: "SIZE", CreatedAt: "CREATED AT" };

export function imagesCommand(context: CliContext): Command {
  return new Command("images")
    .argument("[repository[:tag]]", "only these")
    .option("-a, --all", "accepted for Docker's sake; there are no intermediate images")
    .option("-q, --quiet", "print ids only")
    .option("--no-trunc", "print ids whole")
    .option("--digests", "show digests")
    .addOption(listOption("-f, --filter <key=value>", "reference or dangling"))
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (name: string | undefined, options: ImagesOptions) => {
      const keep = parseFilters(options.filter ?? [], tests);
      const wanted = name === undefined ? () => true : matchesName(name);
      const runtime = await context.runtime();
      const images = (await runtime.listImages()).filter((image) => keep(image) && wanted(image));
      const rows = images.map((image) => imageRow(image, !options.trunc, Date.now()));
      if (options.quiet) {
        for (const id of new Set(rows.map((row) => row["ID"] ?? ""))) context.print(id);
        return;
      }
      const columns = ["Repository", "Tag", ...(options.digests ? ["Digest"] : []), "ID", "CreatedSince", "Size"];
      for (const line of renderRows({ titles, columns, rows }, options.format)) context.print(line);
    });
}

function imageRow(image: ImageInfo, full: boolean, now: number): Row {
  const reference = parsed(image);
  const id = image.id ?? image.digest ?? "";
  return {
    Repository: reference === undefined ? "<none>" : familiarName(repositoryName(reference)),
    Tag: reference?.tag ?? "<none>",
    Digest: image.digest ?? "<none>",
    ID: full ? id : id.replace(/^sha\d+:/, "").slice(0, 12),
    CreatedSince: timeAgo(image.created, now),
    Size: image.sizeBytes === undefined ? "N/A" : decimalSize(image.sizeBytes),
    CreatedAt: image.created?.toISOString() ?? "",
  };
}

/** `undefined` for an untagged image, whose reference is its id. */
function parsed(image: ImageInfo): Reference | undefined {
  return image.reference.startsWith("sha256:") ? undefined : parseReference(image.reference);
}

/** A repository, or with a tag one image. */
function matchesName(name: string): (image: ImageInfo) => boolean {
  const wanted = parseReference(name);
  const hasTag = /:[^/]+$/.test(name) || wanted.digest !== undefined;
  return (image) => {
    const reference = parsed(image);
    if (reference === undefined) return false;
    return hasTag ? canonicalReference(reference) === canonicalReference(wanted) : repositoryName(reference) === repositoryName(wanted);
  };
}

const tests: Readonly<Record<string, FilterTest<ImageInfo>>> = {
  dangling: (value) => (image) => image.reference.startsWith("sha256:") === (value === "true" || value === "1"),
  reference: (value) => {
    const pattern = new RegExp(`^${value.split("*").map(RegExp.escape).join("[^/]*")}$`);
    return (image) => {
      const familiar = familiarName(image.reference);
      return pattern.test(familiar) || pattern.test(familiar.replace(/:[^/:]*$/, ""));
    };
  },
};
