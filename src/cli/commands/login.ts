import { Command, InvalidArgumentError } from "commander";
import { UnsupportedError } from "../../errors.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { askLine, askSecret, wholeInput } from "../terminal/ask.ts";

interface LoginOptions {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
}

export function loginCommand(context: CliContext): Command {
  return new Command("login")
    .argument("[server]", "host[:port] of the registry; Docker Hub without one")
    .option("-u, --username <name>", "user name")
    .option("-p, --password <password>", "password or token; seen by whoever can list processes")
    .option("--password-stdin", "read the password from stdin")
    .action(async (server: string | undefined, options: LoginOptions) => {
      const account = await accountOf(context, options);
      const runtime = await context.runtime();
      const { credentials, checkLogin } = runtime.extras ?? {};
      if (credentials === undefined || checkLogin === undefined) {
        throw new UnsupportedError("login", runtime.backend, "it keeps no credentials of its own; use docker login, whose file is read");
      }
      const { signal } = context.interruption();
      if (!(await checkLogin(server ?? "", account, { signal }))) {
        throw new CliError(`login to ${server ?? "docker.io"} failed: the registry does not take this user name and password`);
      }
      await credentials.store(server ?? "", { kind: "basic", ...account });
      context.print("Login Succeeded");
    });
}

async function accountOf(context: CliContext, o: LoginOptions): Promise<{ readonly username: string; readonly password: string }> {
  if (o.passwordStdin && o.password !== undefined) throw new InvalidArgumentError("--password and --password-stdin are mutually exclusive.");
  if (o.passwordStdin && o.username === undefined) throw new InvalidArgumentError("--password-stdin needs --username.");
  if (o.password !== undefined) context.warn("using --password via the CLI is insecure; use --password-stdin");
  const username = o.username ?? (await askLine(context.host, "Username: "));
  if (username === "") throw new CliError("the user name must not be empty");
  const password = o.passwordStdin ? (await wholeInput(context.host)).replace(/\r?\n$/, "") : (o.password ?? (await askSecret(context.host, "Password: ")));
  if (password === "") throw new CliError("the password must not be empty");
  return { username, password };
}
