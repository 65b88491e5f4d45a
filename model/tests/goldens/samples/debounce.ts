type Fn<A extends unknown[]> = (...args: A) => void;

/** Calls `fn` once things have been quiet for `wait` ms. */
export function debounce<A extends unknown[]>(fn: Fn<A>, wait = 250): Fn<A> & { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = (...args: A): void => {
    if (timer !== undefined) clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      fn(...args);
    }, wait);
  };
  return Object.assign(run, { cancel: () => void (timer && clearTimeout(timer)) });
}

export const format = (n: number, unit?: "ms" | "s"): string =>
  `${n.toFixed(unit === "s" ? 3 : 0)}${unit ?? ""} — that's ${n > 1e3 ? "slow" : "fine"}`;
