/** The command line as a function: arguments in, exit code out. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { version } from "../version.ts";
import { type CommandEntry, commands } from "./commands.ts";
import { CliContext, type GlobalOptions } from "./context.ts";
import { engineFailureCode, exitCodeOf, isSilent } from "./failure.ts";
import type { CliHost } from "./host.ts";
import { normalizeBooleans } from "./normalize-booleans.ts";

/** Commands whose own failures are told apart from the container's by 125, as with `docker run`. */
const runLike = new Set(["run"]);

/** Runs one command line (without program name) to its end and answers the exit code. Never rejects. */
export async function runCli(args: readonly string[], host: CliHost): Promise<number> {
  const context = new CliContext(host);
  const name = commandWord(args);
  try {
    const program = await buildProgram(context, name);
    await program.parseAsync(normalizeBooleans(program, args), { from: "user" });
  } catch (error) {
    context.exitCode = conclude(context, error, name);
  }
  try {
    await context[Symbol.asyncDispose]();
  } catch (error) {
    context.fail(error, context.exitCode || 1);
  }
  return context.exitCode;
}

function conclude(context: CliContext, error: unknown, name: string | undefined): number {
  if (error instanceof InvalidArgumentError) {
    context.fail(error);
    return engineFailureCode;
  }
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    return error.code === "commander.unknownCommand" || error.code === "commander.help" ? 1 : engineFailureCode;
  }
  if (!isSilent(error)) context.fail(error);
  return exitCodeOf(error, name !== undefined && runLike.has(name));
}

/** The tree of commands. Only the module of `selected` is loaded, the others appear by name and summary; `all` loads every one. */
export async function buildProgram(context: CliContext, selected: string | undefined | { readonly all: true }): Promise<Command> {
  const program = new Command("berth")
    .description("Run containers from images.")
    .usage("[options] command")
    .version(`berth version ${version}`, "-v, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.host.stdout.write(text),
      writeErr: (text) => void context.host.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "berth: ")),
      getOutHelpWidth: () => context.host.stdout.columns ?? 100,
      getErrHelpWidth: () => context.host.stderr.columns ?? 100,
    });
  for (const option of globalOptions()) program.addOption(option);
  program.hook("preAction", () => {
    context.globals = program.opts<GlobalOptions>();
  });
  program.showHelpAfterError('See "berth --help".');
  for (const entry of commands) program.addCommand(await commandOf(entry, context, program, selected));
  if (selected === "__complete") program.addCommand((await import("./commands/complete.ts")).completeCommand(context), { hidden: true });
  return program;
}

async function commandOf(entry: CommandEntry, context: CliContext, program: Command, selected: string | undefined | { readonly all: true }): Promise<Command> {
  const wanted = typeof selected === "object" || selected === entry.name || selected === "help";
  if (!wanted) return new Command(entry.name).summary(entry.summary).allowUnknownOption();
  const command = (await entry.load())(context);
  return command.copyInheritedSettings(program).summary(entry.summary).description(`${entry.summary}.`).showHelpAfterError(`See "berth ${entry.name} --help".`);
}

export function globalOptions(): readonly Option[] {
  return [
    new Option("--root <dir>", "state that outlives a reboot (BERTH_ROOT; default /var/lib/berth)"),
    new Option("--run-dir <dir>", "state that does not (BERTH_RUN_DIR; default /run/berth)"),
    new Option("--runtime <runtime>", "OCI runtime: crun, runc or a path (BERTH_OCI_RUNTIME)"),
    new Option("--backend <name>", "auto, native or mock (BERTH_BACKEND)"),
    new Option("--debug", "show causes and stacks of errors"),
  ];
}

/** The first word that is neither a global flag nor the value of one. */
function commandWord(args: readonly string[]): string | undefined {
  const withValue = new Set(globalOptions().flatMap((option) => (option.required ? [option.long] : [])));
  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? "";
    if (!word.startsWith("-")) return word;
    if (withValue.has(word)) i++;
  }
  return undefined;
}
