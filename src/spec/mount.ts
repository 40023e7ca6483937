/** One mount(2) as plain data: snapshotters return it, `internal/libc.ts` performs it. */
export interface Mount {
  /** File system type: `overlay`, `tmpfs`, `bind`, … */
  readonly type: string;
  readonly source: string;
  readonly target: string;
  /** Data string of the file system, comma separated. */
  readonly options: readonly string[];
  readonly readonly?: boolean | undefined;
}
