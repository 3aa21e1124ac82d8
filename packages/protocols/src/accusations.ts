import type { Identifier } from "@lockkeeper/crypto"
import type { Evidence } from "./evidence/evidence.ts"
import { type Abort, type AbortReason, abort } from "./outcome.ts"

/** For each accused participant, by accuser, the place in the batch of what the accuser found wrong. */
export type Accusations = ReadonlyMap<Identifier, ReadonlyMap<Identifier, number>>

type Said =
  | {
      readonly kind: "complain"
      readonly complaints: readonly { readonly dealer: Identifier; readonly index: number }[]
    }
  | { readonly kind: "sum" | "confirm" }

export function accusationsOf(said: ReadonlyMap<Identifier, Said>): Accusations {
  const accusations = new Map<Identifier, Map<Identifier, number>>()
  for (const [accuser, payload] of said) {
    if (payload.kind !== "complain") continue
    for (const { dealer, index } of payload.complaints) {
      const against = accusations.get(dealer) ?? new Map<Identifier, number>()
      accusations.set(dealer, against.set(accuser, index))
    }
  }
  return accusations
}

/** Who loses a dispute, and the file that proves it. */
export interface Named {
  readonly culprit: Identifier
  readonly reason: AbortReason
  readonly evidence: Evidence
}

/** The end of a disputed run; of somebody who is named twice the last file is kept. */
export function abortOver(named: readonly Named[], silent: readonly Identifier[]): Abort {
  const unique = [...new Map(named.map((one) => [one.culprit, one])).values()]
  const culprits = unique.map(({ culprit }) => culprit)
  const evidence = unique.map((one) => one.evidence)
  const reason = unique[0]?.reason ?? "missing-messages"
  return abort(reason, { culprits, evidence, silent }).abort
}
