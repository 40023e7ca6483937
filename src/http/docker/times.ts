/** Times as the Docker API writes them. */

/** What Go prints for a time that never was. */
export const never = "0001-01-01T00:00:00Z";

export function rfc3339(date: Date | undefined): string {
  return date === undefined || Number.isNaN(date.getTime()) ? never : date.toISOString();
}

/** With nine digits behind the point, as in logs. */
export function rfc3339Nano(date: Date): string {
  return `${date.toISOString().slice(0, -1)}000000Z`;
}

export function unixSeconds(date: Date | undefined): number {
  return date === undefined ? 0 : Math.floor(date.getTime() / 1000);
}

/** `About an hour`, `3 minutes`, … as `docker ps` shows (github.com/docker/go-units). */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}
