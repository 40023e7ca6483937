/** One line of `GET /events`. */
export interface EventMessage {
  readonly Type: "container" | "image" | "network" | "volume" | "daemon" | "plugin" | "builder" | (string & {});
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "local" | "swarm" | (string & {});
  /** Unix seconds. */
  readonly time: number;
  readonly timeNano: number;
  /** Of containers and images, deprecated by Docker. */
  readonly status?: string | undefined;
  readonly id?: string | undefined;
  readonly from?: string | undefined;
}
