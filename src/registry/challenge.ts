/** What a 401 asks for (RFC 9110 section 11.6.1; distribution-spec, "token authentication"). */
export type Challenge = { readonly scheme: "basic" } | { readonly scheme: "bearer"; readonly realm: string; readonly service?: string | undefined };

/** The challenge to answer: bearer before basic; `undefined` when neither is offered in full. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const offered = parseChallenges((header ?? "").slice(0, 8192));
  const bearer = offered.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
  const realm = bearer?.parameters.get("realm");
  if (realm !== undefined) return { scheme: "bearer", realm, service: bearer?.parameters.get("service") };
  return offered.some(({ scheme }) => scheme === "basic") ? { scheme: "basic" } : undefined;
}

interface Offered {
  readonly scheme: string;
  readonly parameters: Map<string, string>;
}

/** Parameters and challenges are both separated by commas: a word with no `=` behind it opens the next challenge. */
function parseChallenges(header: string): readonly Offered[] {
  const offered: Offered[] = [];
  const piece = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/gy;
  for (let match = piece.exec(header); match !== null; match = piece.exec(header)) {
    const [, word = "", quoted, plain] = match;
    if (quoted === undefined && plain === undefined) offered.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else offered.at(-1)?.parameters.set(word.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
  }
  return offered;
}
