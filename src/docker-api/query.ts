/** Paths and query strings of engine requests. */

export type QueryValue = string | number | boolean | undefined;
export type Query = Readonly<Record<string, QueryValue | readonly string[]>>;

/** `?a=1&b=2`, or nothing. Absent values are left out, lists repeat their key. */
export function queryText(query: Query | undefined): string {
  if (query === undefined) return "";
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) search.append(key, String(one));
    }
  }
  const text = search.toString();
  return text === "" ? "" : `?${text}`;
}

/** One name as a part of a path. Slashes of image names stay, as engines expect them; `..` cannot climb. */
export function pathPart(name: string): string {
  return name
    .split("/")
    .map((part) => (part === "." || part === ".." ? part.replaceAll(".", "%2E") : encodeURIComponent(part)))
    .join("/");
}
