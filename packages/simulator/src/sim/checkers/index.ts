import type { Observed, Violation } from "../observed.ts"
import { acknowledged } from "./acknowledged.ts"
import { blame } from "./blame.ts"
import type { Checker } from "./checker.ts"
import { erased } from "./erased.ts"
import { erasure } from "./erasure.ts"
import { failures, liveness } from "./failures.ts"
import { generations } from "./generations.ts"
import { guesses } from "./guesses.ts"
import { logged } from "./logged.ts"
import { mixtures } from "./mixtures.ts"
import { answers, oneTime } from "./one-time.ts"
import { pairs } from "./pairs.ts"
import { shares } from "./shares.ts"
import { signatures } from "./signatures.ts"
import { stores } from "./stores.ts"
import { stranded } from "./stranded.ts"
import { usable } from "./usable.ts"

/** What every run is judged by; a new promise of the design is one more. */
export const CHECKERS: readonly Checker[] = [
  oneTime,
  answers,
  guesses,
  acknowledged,
  logged,
  blame,
  pairs,
  shares,
  usable,
  generations,
  erasure,
  erased,
  mixtures,
  stranded,
  signatures,
  stores,
  failures,
  liveness,
]

export function violationsOf(observed: Observed): readonly Violation[] {
  return CHECKERS.flatMap(({ name, check }) =>
    check(observed).map((message) => ({ checker: name, message })),
  )
}
