import type { Clock } from "../dependencies.ts"

/** Real time, of any platform. */
export const systemClock: Clock = {
  now: () => Date.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener("abort", end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener("abort", end, { once: true })
    }),
}
