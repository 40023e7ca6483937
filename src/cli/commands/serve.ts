import { Command, Option } from "commander";
import type { CliContext } from "../context.ts";

interface ServeOptions {
  readonly config?: string;
  readonly host?: readonly string[];
  readonly group?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCaCert?: string;
  readonly tokenFile?: string;
  readonly otlpEndpoint?: string;
  readonly shutdownTimeout?: string;
}

/** Lists grow: `-H a -H b`. */
const append = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

export function serveCommand(context: CliContext): Command {
  return new Command("serve")
    .addOption(new Option("--config <file>", "settings as JSON, with the names of these flags (default /etc/berth/daemon.json)"))
    .addOption(new Option("-H, --host <address>", "unix:///path, tcp://address:port or fd://; may be given again").argParser(append))
    .option("-G, --group <group>", "group of the unix sockets (default berth or docker, where one exists)")
    .option("-l, --log-level <level>", "debug, info, warn or error (default info)")
    .option("--log-format <format>", "text or json (default text)")
    .option("--tls-cert <file>", "certificate for tcp")
    .option("--tls-key <file>", "its key")
    .option("--tls-ca-cert <file>", "authorities that sign the certificates of clients")
    .option("--token-file <file>", "bearer tokens: lines of token, role and name")
    .option("--otlp-endpoint <url>", "where traces go (OTEL_EXPORTER_OTLP_ENDPOINT)")
    .option("--shutdown-timeout <seconds>", "time that answers have to finish when the daemon stops (default 10)")
    .action((options: ServeOptions) => serve(context, options));
}

async function serve(context: CliContext, o: ServeOptions): Promise<void> {
  const [{ completeSettings, defaultConfigFile, readConfigFile }, { createLogger }, { startDaemon }] = await Promise.all([
    import("../../daemon/options.ts"),
    import("../../daemon/log.ts"),
    import("../../daemon/daemon.ts"),
  ]);
  const { env, stderr } = context.host;
  const { globals } = context;
  const flags = {
    host: o.host,
    group: o.group,
    "log-level": o.logLevel ?? (globals.debug === true ? "debug" : undefined),
    "log-format": o.logFormat,
    "tls-cert": o.tlsCert,
    "tls-key": o.tlsKey,
    "tls-ca-cert": o.tlsCaCert,
    "token-file": o.tokenFile,
    "otlp-endpoint": o.otlpEndpoint ?? (env["OTEL_EXPORTER_OTLP_ENDPOINT"] || undefined),
    "shutdown-timeout": o.shutdownTimeout,
    backend: globals.backend ?? (env["BERTH_BACKEND"] || undefined),
    root: globals.root ?? (env["BERTH_ROOT"] || undefined),
    "run-dir": globals.runDir ?? (env["BERTH_RUN_DIR"] || undefined),
    runtime: globals.runtime ?? (env["BERTH_OCI_RUNTIME"] || undefined),
  };
  const settings = completeSettings(readConfigFile(o.config ?? defaultConfigFile, o.config === undefined), flags);
  const log = createLogger({ level: settings.logLevel, format: settings.logFormat, write: (line) => void stderr.write(line) });
  const { signal } = context.interruption();
  const daemon = await startDaemon({ settings, log, env: { ...env } });
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await daemon.close();
}
