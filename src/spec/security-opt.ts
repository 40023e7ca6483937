/** The grammar of `securityOpt` (contract 1.3.4). */
import { BerthError } from "../errors.ts";

export interface SecurityOptions {
  /** `unconfined`, the path of a profile, or a profile's JSON text; absent = the default profile. */
  readonly seccomp?: string | undefined;
  /** `unconfined` or a profile's name; absent = the host's default. */
  readonly apparmor?: string | undefined;
  /** What followed `label=`: `disable`, `type:…`, `user:…`, … */
  readonly labels: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Nothing masked, nothing read-only below `/proc` and `/sys`. */
  readonly systemPathsUnconfined: boolean;
  readonly writableCgroups: boolean;
}

type Mutable = { -readonly [K in keyof SecurityOptions]: SecurityOptions[K] };

/** Later options win. Throws `invalid_spec` for an unknown option or value. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const result: Mutable = { labels: [], noNewPrivileges: false, systemPathsUnconfined: false, writableCgroups: false };
  for (const option of options) apply(result, option);
  return result;
}

function apply(result: Mutable, option: string): void {
  const separator = option.search(/[=:]/);
  const key = separator < 0 ? option : option.slice(0, separator);
  const value = separator < 0 ? undefined : option.slice(separator + 1);
  if (key === "no-new-privileges") result.noNewPrivileges = value === undefined || parseBoolean(option, value);
  else if (value === undefined || value === "") throw unknownOption(option);
  else if (key === "seccomp") result.seccomp = parseSeccomp(option, value);
  else if (key === "apparmor") result.apparmor = value;
  else if (key === "label") result.labels = [...result.labels, value];
  else if (key === "systempaths" && value === "unconfined") result.systemPathsUnconfined = true;
  else if (key === "writable-cgroups") result.writableCgroups = parseBoolean(option, value);
  else throw unknownOption(option);
}

/** Docker's CLI sends the profile's text instead of its path. */
function parseSeccomp(option: string, value: string): string | undefined {
  if (value === "builtin") return undefined;
  if (value === "unconfined" || value.startsWith("/") || value.startsWith("{")) return value;
  throw new BerthError("invalid_spec", `securityOpt ${JSON.stringify(option)}: the seccomp profile must be an absolute path or "unconfined"`);
}

function parseBoolean(option: string, value: string): boolean {
  if (/^(?:true|1)$/i.test(value)) return true;
  if (/^(?:false|0)$/i.test(value)) return false;
  throw new BerthError("invalid_spec", `securityOpt ${JSON.stringify(option)}: expected true or false`);
}

function unknownOption(option: string): BerthError {
  const known = "seccomp=<path>|unconfined, apparmor=<profile>|unconfined, label=…, no-new-privileges, systempaths=unconfined, writable-cgroups=true|false";
  return new BerthError("invalid_spec", `unknown securityOpt ${JSON.stringify(option.slice(0, 200))}; expected one of ${known}`);
}
