import {
  type AccountRange,
  identityKeys,
  LockKeeperError,
  type SharingKind,
  shownReshare,
  showReshareBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes, toHex } from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import { readAnswer } from "../answers.ts"
import type { IncidentLog } from "../incidents.ts"
import { rosterOf } from "../trust.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import { type BatchKind, ReshareSteps } from "./reshare-steps.ts"
import type { InForce } from "./sharings-in-force.ts"

const EMPTY = new Uint8Array(0)

interface Context {
  readonly kind: SharingKind
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

/**
 * Brings the certificates of runs that a coordinator left half way to those who have confirmed and not
 * activated. One run is finished for its whole batch. Returns at how many servers one was, and whether
 * anything may have changed at any.
 */
export async function finishRuns(
  principal: OperatorPrincipal,
  all: readonly InForce[],
  context: Context,
): Promise<{ readonly finished: number; readonly isChanged: boolean }> {
  const tried = new Set<string>()
  let [finished, isChanged] = [0, false]
  for (const { id, behind, unlisted } of all) {
    for (const { server, from, run } of [...behind, ...unlisted]) {
      const name = `${server}-${toHex(run)}`
      if (tried.has(name)) continue
      tried.add(name)
      try {
        const isInForce = await finishAt(principal, { id, server, from, run }, context)
        if (isInForce === true) finished++
        isChanged ||= isInForce !== null
      } catch (error) {
        if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
        context.incidents.failed(server, error)
      }
    }
  }
  return { finished, isChanged }
}

interface Unfinished {
  readonly id: Bytes
  readonly server: Identifier
  readonly from: Identifier
  readonly run: Bytes
}

/**
 * Whether all of that run is in force at the server; null where it confirmed nothing in it, or where what
 * is shown proves nothing.
 */
async function finishAt(
  principal: OperatorPrincipal,
  { id, server, from, run }: Unfinished,
  { kind, signal, incidents }: Context,
): Promise<boolean | null> {
  const { trust } = principal.servers
  const ask = async (at: Identifier) => {
    const body = encode(showReshareBody, { kind, id, run })
    const request = principal.request("reshare.show", [at], body)
    const { output } = await principal.act(at, request, 1, EMPTY, signal)
    return readAnswer(at, shownReshare, output)
  }
  const { params, range } = await ask(server)
  const of = kindOf(kind, range)
  if (params === null || of === null || !equalBytes(reshare.openingDigest(params), run)) return null
  const { certificate } = await ask(from)
  if (certificate === null) return null
  const roster = rosterOf(trust, certificate.sharing.rosterEpoch)
  // Where it is not known any more, so many rosters later, nobody else would take it either.
  if (roster === null) return null
  const { rosterEpoch, minSigners } = roster
  const view = { rosterEpoch, minSigners, verifyKeys: identityKeys(roster) }
  const verified = reshare.verifyReshareCertificate(certificate, view)
  const batch = verified.ok ? reshare.batchOf(certificate) : null
  if (batch === null) {
    incidents.suspected(from, verified.ok ? "wrong-batch" : verified.abort.reason)
    return null
  }
  const steps = new ReshareSteps(principal, of, { params, keys: [], leaveOut: [] }, signal)
  return await steps.activate(server, batch)
}

/** With the range that the run goes on with; null where none was shown that it could have. */
function kindOf(kind: SharingKind, range: AccountRange | null): BatchKind | null {
  if (kind === "accounts") return range === null ? null : { kind, range }
  return range === null ? { kind, range } : null
}
