/** What a commit or an import makes an image with: its name, and changes of its config. */
import { BerthError } from "../../errors.ts";
import { applyChanges, emptyConfig } from "../../spec/changes.ts";
import { parseReference } from "../../spec/reference.ts";

/** Checked here: engines differ in what they take. */
export function changeLines(changes: string | undefined): readonly string[] | undefined {
  if (changes === undefined || changes.trim() === "") return undefined;
  applyChanges(emptyConfig, changes);
  return changes.split("\n").filter((line) => line.trim() !== "");
}

/** An engine would take a tag without a repository for none. */
export function checkTarget(repo: string | undefined, tag: string | undefined): void {
  if (repo === undefined && tag !== undefined) throw new BerthError("invalid_spec", `tag ${JSON.stringify(tag)} without a repository names nothing`);
  if (repo !== undefined) parseReference(tag === undefined ? repo : `${repo}:${tag}`);
}
