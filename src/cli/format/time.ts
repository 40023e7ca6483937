/** Docker's words for a length of time: `5 seconds`, `About a minute`, `3 hours`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

export function timeAgo(at: Date | undefined, now: number = Date.now()): string {
  return at === undefined ? "N/A" : `${humanDuration(Math.max(0, now - at.getTime()))} ago`;
}

/** The Go zero time, which Docker prints for "never". */
export const zeroTime = "0001-01-01T00:00:00Z";

/** `2026-01-02T03:04:05.678000000Z`, the form of log timestamps. */
export function nanoTimestamp(at: Date): string {
  return at.toISOString().replace("Z", "000000Z");
}
