import { join } from "node:path";
import { Children, type CompositeChild } from "./children.ts";
import { ChoiceTable } from "./choice-table.ts";
import { CompositeRuntime } from "./composite-runtime.ts";

export interface CompositeOptions {
  /** The primary first. The composite closes them when it is closed. */
  readonly children: readonly CompositeChild[];
  /** Directory for the table of choices; the same one at every opening. */
  readonly root: string;
}

/** Opens the table and compares it with what the children have. Throws `configuration` without a child or with two of one name. */
export async function openCompositeRuntime(o: CompositeOptions): Promise<CompositeRuntime> {
  const children = new Children(o.children);
  return await CompositeRuntime.open(children, await ChoiceTable.open(join(o.root, "composite.db")));
}
