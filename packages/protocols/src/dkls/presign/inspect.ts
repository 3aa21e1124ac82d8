import type { Identifier } from "@lockkeeper/crypto"
import type { PublicKeyPackage } from "../../keys.ts"
import { digestsOf } from "../../messages/echo.ts"
import type { Message } from "../../messages/message.ts"
import { done, type Outcome } from "../../outcome.ts"
import type { PresignParams } from "../types.ts"
import { agreeOnSetups, type Collector, collectOpens, collectSaid } from "./collect.ts"
import { statementsIn } from "./state.ts"

/**
 * What a coordinator can check of the messages it relays, before it passes them on: those of the last
 * of `steps`, where the earlier ones were inspected when they came. Accusations among them end the run
 * as `pairwise-fault`.
 */
export function presignInspect(
  params: PresignParams,
  key: PublicKeyPackage,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
  steps: readonly (readonly Message[])[],
): Outcome<null> {
  const collector: Collector = {
    ...{ params, key, verifyKeys, senders: params.signers, reader: "all-parts" },
  }
  const [first, ...later] = steps
  if (!first) return done(null)
  if (later.length === 0) return inspectOpens(collector, first)
  const step = ([2, 3, 4] as const)[later.length - 1]
  if (!step) return done(null)
  const opens = statementsIn(first)
  const run = { params, openings: digestsOf(opens) }
  const previous = statementsIn(steps.at(-2) ?? [])
  const said = collectSaid(collector, step, { run, opens, previous }, later.at(-1) ?? [])
  return said.ok ? done(null) : said
}

function inspectOpens(collector: Collector, messages: readonly Message[]): Outcome<null> {
  const opened = collectOpens(collector, messages)
  if (!opened.ok) return opened
  return agreeOnSetups(new Map([...opened.value].map(([sender, { payload }]) => [sender, payload])))
}
