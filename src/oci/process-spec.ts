import { BerthError } from "../errors.ts";
import type { OciCapabilities, OciLimit, OciProcess, OciRlimit } from "../spec/runtime-spec.ts";
import { mergeEnvironment } from "./process.ts";
import { ociLimit } from "./resources.ts";
import { resolveUser } from "./user.ts";

export interface ExecProcessInput {
  /** `process` of the container's config.json, as written or as parsed back. */
  readonly container: OciProcess;
  /** The container's root as the host sees it, such as `/proc/<pid>/root`; users are looked up in it. */
  readonly rootfs: string;
  readonly command: readonly string[];
  /** `KEY=VALUE` on top of the container's; `KEY` alone removes it. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  /** Relative to the container's directory. */
  readonly workingDir?: string | undefined;
  readonly privileged?: boolean | undefined;
  readonly tty?: boolean | undefined;
  /** Of the terminal. */
  readonly size?: { readonly rows: number; readonly cols: number } | undefined;
  /** All that `privileged` can give. */
  readonly hostCapabilities: readonly string[];
}

/**
 * The `process.json` of an exec (contract 1.8): everything not asked for is the container's. Throws `invalid_spec` for an empty
 * command, a relative directory that cannot be resolved or an unknown user. Seccomp is not in this document: OCI runtimes
 * take it from the container.
 */
export function buildExecProcess(o: ExecProcessInput): OciProcess {
  const { container, tty = false, privileged = false } = o;
  if (o.command.length === 0) throw new BerthError("invalid_spec", "the command to exec is empty; give a program and its arguments");
  const user = o.user === undefined || o.user === "" ? undefined : resolveUser(o.rootfs, o.user);
  const added = [...(tty ? ["TERM=xterm"] : []), ...(user === undefined ? [] : [`HOME=${user.home}`]), ...(o.env ?? [])];
  const { apparmorProfile, selinuxLabel, oomScoreAdj } = container;
  return {
    terminal: tty,
    ...(tty && o.size !== undefined ? { consoleSize: { height: o.size.rows, width: o.size.cols } } : {}),
    user: user === undefined ? container.user : { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: o.command,
    env: mergeEnvironment(container.env, added),
    cwd: workingDirectory(o.workingDir, container.cwd),
    capabilities: privileged ? allOf(o.hostCapabilities) : container.capabilities,
    rlimits: (container.rlimits ?? []).map(rereadLimit),
    noNewPrivileges: container.noNewPrivileges && !privileged,
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile: privileged ? "unconfined" : apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
  };
}

function workingDirectory(wanted: string | undefined, container: string): string {
  if (wanted === undefined || wanted === "") return container;
  return wanted.startsWith("/") ? wanted : `${container.replace(/\/$/, "")}/${wanted}`;
}

function allOf(names: readonly string[]): OciCapabilities {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

function rereadLimit(limit: OciRlimit): OciRlimit {
  const reread = (value: OciLimit): OciLimit => (typeof value === "number" ? ociLimit(value) : value);
  return { type: limit.type, soft: reread(limit.soft), hard: reread(limit.hard) };
}
