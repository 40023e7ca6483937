const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB"];
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `187MB`, `13.3kB`: powers of 1000 with three digits, as Docker prints sizes on disk and wire. */
export function decimalSize(bytes: number): string {
  return scaled(bytes, 1000, decimalUnits, 3);
}

/** `4.512MiB`: powers of 1024 with four digits, as Docker prints memory. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, binaryUnits, 4);
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${Number(value.toPrecision(digits))}${units[unit]}`;
}
