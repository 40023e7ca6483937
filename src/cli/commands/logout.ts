import { Command } from "commander";
import { isBerthError, UnsupportedError } from "../../errors.ts";
import type { CliContext } from "../context.ts";

export function logoutCommand(context: CliContext): Command {
  return new Command("logout").argument("[server]", "host[:port] of the registry; Docker Hub without one").action(async (server: string | undefined) => {
    const runtime = await context.runtime();
    const { credentials } = runtime.extras ?? {};
    if (credentials === undefined) throw new UnsupportedError("logout", runtime.backend, "it keeps no credentials of its own; use docker logout");
    const name = server ?? "docker.io";
    try {
      await credentials.remove(server ?? "");
      context.print(`Removing login credentials for ${name}`);
    } catch (error) {
      if (!isBerthError(error, "not_found")) throw error;
      context.print(`Not logged in to ${name}`);
    }
  });
}
