import type { Identifier } from "@lockkeeper/crypto"
import type { DklsConfirmEvidence, ShownPayload } from "../../evidence/dkls-presign.ts"
import type { Evidence } from "../../evidence/evidence.ts"
import type { KeyCertificate } from "../../keys.ts"
import type { Received } from "../../messages/message.ts"
import { statementOf } from "../../messages/statement.ts"
import { abort, type Outcome } from "../../outcome.ts"
import type { PresignRun } from "./params.ts"
import type { PresignTrail, Statements } from "./state.ts"
import type { Payloads, PresignResult } from "./task.ts"

/** What was said in one step, with the payloads whose digests were broadcast. */
export function shown(
  statements: Statements,
  payloads: Payloads,
): ReadonlyMap<Identifier, ShownPayload> {
  return new Map(
    [...statements].map(([signer, statement]) => [
      signer,
      { statement, payload: payloads.get(signer)! },
    ]),
  )
}

/** The abort for what `work` found, with what proves it. `trail` holds this step's messages. */
export function faultAbort(
  fault: Extract<PresignResult, { kind: "fault" }>,
  {
    run,
    trail,
    certificate,
  }: {
    readonly run: PresignRun
    readonly trail: PresignTrail
    readonly certificate: KeyCertificate
  },
): Outcome<never> {
  const { reason, field, culprits } = fault
  const exchanges = shown(trail.exchanges, trail.exchanged)
  const [j, k] = fault.pair
  if (j !== undefined && k !== undefined) {
    const [first, second] = [exchanges.get(j)!, exchanges.get(k)!]
    const edge = { kind: "zero-sharing", run, first, second } as const
    return abort(reason, { pair: [j, k], evidence: [{ kind: "dkls-edge", edge }], field })
  }
  const publishes = shown(trail.publishes, trail.published)
  const evidence = culprits.map((culprit): Evidence => {
    const publish = publishes.get(culprit)
    if (publish) return { kind: "dkls-publish", run, exchanges, publish }
    const [open, exchange] = [trail.opens.get(culprit)!, exchanges.get(culprit)!]
    return { kind: "dkls-exchange", run, certificate, open, exchange }
  })
  return abort(reason, { culprits, evidence, field })
}

/** The abort for confirmations of other records than these payloads make. */
export function confirmAbort(
  basis: Pick<DklsConfirmEvidence, "run" | "exchanges" | "publishes">,
  messages: readonly Received[],
): Outcome<never> {
  return abort("wrong-confirmation", {
    culprits: messages.map(({ header }) => header.sender),
    evidence: messages.map((message) => ({
      kind: "dkls-confirm",
      ...basis,
      confirm: statementOf(message),
    })),
    field: "signature",
  })
}
