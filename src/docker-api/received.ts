/**
 * A wire type as a client reads it: engines of other ages and makes leave fields out or send `null`, so every field, at
 * every depth, may be missing. A server writes the wire type itself and so leaves nothing out.
 */
export type Received<T> = T extends string
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Received<Item>[]
    : T extends object
      ? { readonly [K in keyof T]?: Received<Exclude<T[K], undefined>> | null | undefined }
      : T;
