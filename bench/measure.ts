/** Wall-clock samples of one operation, sorted, in milliseconds. */
export interface Samples {
  readonly sortedMs: readonly number[]
  readonly elapsedMs: number
}

/** Runs `operation` one at a time, first unmeasured for the JIT and the caches. */
export async function sample(
  operation: (index: number) => Promise<unknown> | unknown,
  { warmup, count }: { warmup: number; count: number },
): Promise<Samples> {
  return sampleInFlight(operation, { warmup, count, inFlight: 1 })
}

/** The same with `inFlight` operations at any moment; `elapsedMs` is that of the measured ones. */
export async function sampleInFlight(
  operation: (index: number) => Promise<unknown> | unknown,
  { warmup, count, inFlight }: { warmup: number; count: number; inFlight: number },
): Promise<Samples> {
  for (let index = 0; index < warmup; index += 1) await operation(index)
  const durations: number[] = []
  let next = 0
  const worker = async () => {
    while (next < count) {
      const index = next
      next += 1
      const started = performance.now()
      await operation(warmup + index)
      durations.push(performance.now() - started)
    }
  }
  const started = performance.now()
  await Promise.all(Array.from({ length: inFlight }, worker))
  return { sortedMs: durations.sort((a, b) => a - b), elapsedMs: performance.now() - started }
}

/** @param q - between 0 and 1: 0.5 is the median. */
export function quantile(samples: Samples, q: number): number {
  const index = Math.min(samples.sortedMs.length - 1, Math.floor(samples.sortedMs.length * q))
  return samples.sortedMs[index] ?? Number.NaN
}

/** CPU milliseconds of this process, all threads, per run of a synchronous operation. */
export function cpuMsPerRun(operation: () => unknown, runs: number): number {
  for (let index = 0; index < Math.ceil(runs / 4); index += 1) operation()
  const before = process.cpuUsage()
  for (let index = 0; index < runs; index += 1) operation()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / runs
}
