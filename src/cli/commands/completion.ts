import { Command } from "commander";
import type { CliContext } from "../context.ts";

export function completionCommand(context: CliContext): Command {
  const print = (shell: "bash" | "zsh") => async (): Promise<void> => {
    const [{ buildProgram }, { commandTree }, { bashScript }, { zshScript }] = await Promise.all([
      import("../program.ts"),
      import("../completion/command-tree.ts"),
      import("../completion/bash.ts"),
      import("../completion/zsh.ts"),
    ]);
    const tree = commandTree(await buildProgram(context, { all: true }));
    context.host.stdout.write(shell === "bash" ? bashScript(tree) : zshScript(tree));
  };
  return new Command("completion")
    .addCommand(new Command("bash").description("for bash: source <(berth completion bash)").action(print("bash")))
    .addCommand(new Command("zsh").description("for zsh: berth completion zsh > _berth, in a directory of your fpath").action(print("zsh")));
}
