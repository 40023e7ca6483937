/** Reads the code blocks of a Markdown page that say they run. */

export interface RunnableBlock {
  readonly language: string;
  readonly code: string;
  /** Line of the page where the block begins. */
  readonly line: number;
  /** What it must print, when the page shows that. */
  readonly prints?: string | undefined;
}

const block = /^<!-- (?<mark>run|prints) -->\n```(?<language>\w+)\n(?<code>[\s\S]*?)^```$/gm;

/** `<!-- run -->` stands before a block that is run, `<!-- prints -->` before what the last such block prints. */
export function runnableBlocks(page: string): RunnableBlock[] {
  const found: RunnableBlock[] = [];
  for (const { groups, index } of page.matchAll(block)) {
    const code = groups?.["code"] ?? "";
    const last = found.at(-1);
    if (groups?.["mark"] === "run") found.push({ language: groups["language"] ?? "", code, line: page.slice(0, index).split("\n").length + 1 });
    else if (last !== undefined) found[found.length - 1] = { ...last, prints: code };
  }
  return found;
}
