/** What a container runs: `Config` of inspect, the top level of create, and an image's config. */

export interface ContainerConfig {
  readonly Hostname?: string | undefined;
  readonly Domainname?: string | undefined;
  readonly User?: string | undefined;
  readonly AttachStdin?: boolean | undefined;
  readonly AttachStdout?: boolean | undefined;
  readonly AttachStderr?: boolean | undefined;
  /** `80/tcp` → `{}`. */
  readonly ExposedPorts?: Readonly<Record<string, object>> | null | undefined;
  readonly Tty?: boolean | undefined;
  readonly OpenStdin?: boolean | undefined;
  readonly StdinOnce?: boolean | undefined;
  /** `KEY=VALUE`; in a create body `KEY` alone removes the image's variable. */
  readonly Env?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly Healthcheck?: HealthConfig | null | undefined;
  readonly ArgsEscaped?: boolean | undefined;
  readonly Image?: string | undefined;
  /** Target path → `{}`. */
  readonly Volumes?: Readonly<Record<string, object>> | null | undefined;
  readonly WorkingDir?: string | undefined;
  /** A create body may hold `[""]`, which clears the image's entrypoint. */
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly NetworkDisabled?: boolean | undefined;
  /** In a create body before 1.44; later per endpoint. */
  readonly MacAddress?: string | undefined;
  readonly OnBuild?: readonly string[] | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly StopSignal?: string | undefined;
  /** Seconds. */
  readonly StopTimeout?: number | null | undefined;
  readonly Shell?: readonly string[] | null | undefined;
}

/** Times are nanoseconds; 0 = inherit or default. */
export interface HealthConfig {
  /** `["NONE"]`, `["CMD", …]`, `["CMD-SHELL", command]`; empty = inherit. */
  readonly Test?: readonly string[] | null | undefined;
  readonly Interval?: number | undefined;
  readonly Timeout?: number | undefined;
  readonly StartPeriod?: number | undefined;
  readonly StartInterval?: number | undefined;
  readonly Retries?: number | undefined;
}
