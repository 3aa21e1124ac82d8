import {
  type AccountRange,
  identityKeys,
  LockKeeperError,
  type SharingKind,
  shownReshare,
  showReshareBody,
  type WaitingRun,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import { reshare } from "@lockkeeper/protocols"
import { readAnswer } from "../answers.ts"
import { askAll } from "../gather.ts"
import type { IncidentLog } from "../incidents.ts"
import { throwIfCancelled } from "../patience.ts"
import { rosterOf } from "../trust.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import { type BatchKind, ReshareSteps } from "./reshare-steps.ts"
import { waitingRuns } from "./waiting-runs.ts"

const EMPTY = new Uint8Array(0)
const NO_RUN = new Uint8Array(32)

interface Context {
  readonly kind: SharingKind
  /** Servers that answer: each may wait for a certificate, or have one. */
  readonly among: readonly Identifier[]
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

/**
 * Brings the certificates of runs that a coordinator left half way to those who have confirmed and not
 * activated, from whoever has one: a holder, or a member that erased its share on it. Each says itself what
 * it waits for. One run is finished for its whole batch. Returns at how many servers one was, and whether
 * anything may have changed at any.
 */
export async function finishRuns(
  principal: OperatorPrincipal,
  context: Context,
): Promise<{ readonly finished: number; readonly isChanged: boolean }> {
  const { among, kind, signal, incidents } = context
  const { answers, failures } = await askAll(principal.servers, among, (server) =>
    waitingRuns(principal, server, kind, signal),
  )
  for (const [server, error] of failures) incidents.failed(server, error)
  let [finished, isChanged] = [0, false]
  for (const [server, runs] of answers) {
    for (const run of runs) {
      throwIfCancelled(signal)
      try {
        const isInForce = await finishAt(principal, server, run, context)
        if (isInForce === true) finished++
        isChanged ||= isInForce !== null
      } catch (error) {
        if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
        incidents.failed(server, error)
      }
    }
  }
  return { finished, isChanged }
}

/**
 * Whether all of that run is in force at the server; null where nobody can show the certificate, or where
 * the server shows no such run.
 */
async function finishAt(
  principal: OperatorPrincipal,
  server: Identifier,
  waiting: WaitingRun,
  context: Context,
): Promise<boolean | null> {
  const { kind, signal } = context
  const certificate = await certificateOf(principal, server, waiting, context)
  const [id] = waiting.ids
  if (certificate === null || id === undefined) return null
  const { params, range } = await show(principal, server, { kind, id, run: waiting.run }, signal)
  const of = kindOf(kind, range)
  if (params === null || of === null) return null
  if (!equalBytes(reshare.openingDigest(params), waiting.run)) return null
  const leaveOut = reshare.participantsOf(params).filter((one) => one !== server)
  const steps = new ReshareSteps(principal, of, { params, keys: [], leaveOut }, signal)
  return await steps.activate(server, certificate)
}

/**
 * The certificate of what a server has confirmed, from the first of the others that shows it for any
 * sharing of the batch; null where none does. One that is of something else may be of a later generation.
 */
async function certificateOf(
  principal: OperatorPrincipal,
  server: Identifier,
  { ids, root }: WaitingRun,
  { kind, among, signal, incidents }: Context,
): Promise<reshare.BatchCertificate | null> {
  const { servers } = principal
  const others = among.filter((one) => one !== server)
  for (const id of ids) {
    throwIfCancelled(signal)
    const { answers, failures } = await askAll(servers, others, (from) =>
      show(principal, from, { kind, id, run: NO_RUN }, signal),
    )
    for (const [from, error] of failures) incidents.failed(from, error)
    for (const [from, { certificate }] of answers) {
      if (certificate === null) continue
      const batch = reshare.batchOf(certificate)
      if (batch === null || !equalBytes(batch.root, root)) continue
      const reason = whyWorthless(principal, certificate)
      if (reason === null) return batch
      if (reason !== "wrong-roster-epoch") incidents.suspected(from, reason)
    }
  }
  return null
}

/** Why a certificate proves nothing; null where it does. A server would refuse it for the same. */
function whyWorthless(
  { servers: { trust } }: OperatorPrincipal,
  certificate: reshare.ReshareCertificate,
): string | null {
  const roster = rosterOf(trust, certificate.sharing.rosterEpoch)
  // Where it is not known any more, so many rosters later, nobody else would take it either.
  if (roster === null) return "wrong-roster-epoch"
  const { rosterEpoch, minSigners } = roster
  const view = { rosterEpoch, minSigners, verifyKeys: identityKeys(roster) }
  const verified = reshare.verifyReshareCertificate(certificate, view)
  return verified.ok ? null : verified.abort.reason
}

async function show(
  principal: OperatorPrincipal,
  at: Identifier,
  asked: { readonly kind: SharingKind; readonly id: Bytes; readonly run: Bytes },
  signal: AbortSignal,
) {
  const request = principal.request("reshare.show", [at], encode(showReshareBody, asked))
  const { output } = await principal.act(at, request, 1, EMPTY, signal)
  return readAnswer(at, shownReshare, output)
}

/** With the range that the run goes on with; null where none was shown that it could have. */
function kindOf(kind: SharingKind, range: AccountRange | null): BatchKind | null {
  if (kind === "accounts") return range === null ? null : { kind, range }
  return range === null ? { kind, range } : null
}
