import type { Identifier } from "@lockkeeper/crypto"
import { digestsOf } from "../../messages/echo.ts"
import type { Message } from "../../messages/message.ts"
import { done, type Outcome } from "../../outcome.ts"
import type { PresignParams } from "../types.ts"
import { agreeOnSetups, type Collector, collectOpens, collectSaid } from "./collect.ts"
import { statementsIn } from "./state.ts"

/**
 * What a coordinator can check of the messages it relays, before it passes them on: all messages of
 * the run so far, by step. Accusations among them end the run as `pairwise-fault`.
 */
export function presignInspect(
  params: PresignParams,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
  steps: readonly (readonly Message[])[],
): Outcome<null> {
  const collector: Collector = {
    ...{ params, verifyKeys, senders: params.signers, reader: "all-parts" },
  }
  const [first, ...later] = steps
  if (!first) return done(null)
  const opened = collectOpens(collector, first)
  if (!opened.ok) return opened
  const agreed = agreeOnSetups(
    new Map([...opened.value].map(([sender, { payload }]) => [sender, payload.setups])),
  )
  if (!agreed.ok) return agreed
  const opens = statementsIn(first)
  const run = { params, openings: digestsOf(opens) }
  let previous = opens
  for (const [i, messages] of later.slice(0, 3).entries()) {
    const step = ([2, 3, 4] as const)[i]!
    const said = collectSaid(collector, step, { run, opens, previous }, messages)
    if (!said.ok) return said
    previous = statementsIn(messages)
  }
  return done(null)
}
