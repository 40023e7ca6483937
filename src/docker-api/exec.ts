/** Further processes in a container. */

/** `POST /containers/{id}/exec`. */
export interface ExecCreateBody {
  readonly User?: string | undefined;
  readonly Privileged?: boolean | undefined;
  readonly Tty?: boolean | undefined;
  /** Rows, columns. From 1.42 on. */
  readonly ConsoleSize?: readonly number[] | null | undefined;
  readonly AttachStdin?: boolean | undefined;
  readonly AttachStderr?: boolean | undefined;
  readonly AttachStdout?: boolean | undefined;
  readonly DetachKeys?: string | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
}

/** `POST /exec/{id}/start`. */
export interface ExecStartBody {
  readonly Detach?: boolean | undefined;
  readonly Tty?: boolean | undefined;
  readonly ConsoleSize?: readonly number[] | null | undefined;
}

/** `GET /exec/{id}/json`. */
export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  /** `null` while it runs. */
  readonly ExitCode: number | null;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[];
    readonly privileged?: boolean | undefined;
    readonly user?: string | undefined;
  };
  readonly OpenStdin: boolean;
  readonly OpenStderr: boolean;
  readonly OpenStdout: boolean;
  readonly CanRemove: boolean;
  readonly ContainerID: string;
  readonly DetachKeys: string;
  /** On the engine's host; 0 = not started. */
  readonly Pid: number;
}
