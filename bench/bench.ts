/** What one benchmark measures; `bench/main.ts` prints it and judges it. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: "ms" | "us" | "1/s" | "bytes" | "packages"
  /** Measured in the same run on the same machine; null where there is nothing to compare with. */
  readonly baseline: { readonly name: string; readonly value: number } | null
  readonly target: Target | null
  /** What the figure consists of, in one sentence; printed for people, not in the JSON. */
  readonly consistsOf?: string
}

/** A bound on the value or on its ratio to the baseline. */
export interface Target {
  readonly of: "value" | "ratio"
  readonly is: "at most" | "at least"
  readonly bound: number
}

/** A file of this folder exports one as `bench`; the harness finds it by its file. */
export interface Bench {
  readonly name: string
  run(report: (figure: Figure) => void): Promise<void>
}

/** The JSON line of one figure. */
export interface BenchLine {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly baseline: { readonly name: string; readonly value: number } | null
  readonly ratio: number | null
  readonly target: string | null
  readonly met: boolean | null
}

/** Judges one figure: a target that cannot be computed is not met. */
export function judge(figure: Figure): BenchLine {
  const { name, unit, baseline, target } = figure
  const ratio = baseline && baseline.value > 0 ? figure.value / baseline.value : null
  return {
    name,
    value: round(figure.value),
    unit,
    baseline: baseline && { name: baseline.name, value: round(baseline.value) },
    ratio: ratio === null ? null : round(ratio),
    target: target && `${target.of} ${target.is === "at most" ? "<=" : ">="} ${target.bound}`,
    met: target && holds(target, target.of === "value" ? figure.value : ratio),
  }
}

function holds(target: Target, measured: number | null): boolean {
  if (measured === null || !Number.isFinite(measured)) return false
  return target.is === "at most" ? measured <= target.bound : measured >= target.bound
}

/** Four significant digits: more is noise. */
const round = (value: number) => Number(value.toPrecision(4))
