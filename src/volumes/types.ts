/** A volume as the records know it. */
export interface Volume {
  readonly name: string;
  /** Made without a name: goes with its container, and by a plain prune. */
  readonly isAnonymous: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Of Docker's local driver: `type`, `o`, `device`. Empty for a plain directory. */
  readonly options: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

export interface VolumeEvent {
  readonly action: "create" | "destroy";
  readonly name: string;
}
