/** Numbers as people read them. */
export function formatNumber(value: number, digits = 4): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4
    ? value.toExponential(digits - 1)
    : Number(value.toPrecision(digits)).toString();
}

/** A whole number with commas between thousands: `1,000,000`. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

/** Bytes for people, in powers of 1000: `1.5 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** A time for people: `4.2 s`, or minutes and seconds. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
