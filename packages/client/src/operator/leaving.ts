import {
  LockKeeperError,
  leaveReshareBody,
  leaveReshareInput,
  type SharingKind,
  type SharingListing,
  shownReshare,
  showReshareBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, equalBytes } from "@lockkeeper/encoding"
import type { reshare } from "@lockkeeper/protocols"
import { readAnswer } from "../answers.ts"
import type { IncidentLog } from "../incidents.ts"
import { RESHARE_BATCH } from "../limits.ts"
import { throwIfCancelled } from "../patience.ts"
import { stretchesLeft } from "./leaving-accounts.ts"
import type { OperatorPrincipal } from "./operator-principal.ts"
import type { BatchKind } from "./reshare-steps.ts"
import type { InForce } from "./sharings-in-force.ts"

const EMPTY = new Uint8Array(0)
const NO_RUN = new Uint8Array(32)

/** Brings a server that is no holder any more what it erases its shares on: it checks that itself. */
export async function leaveAt(
  principal: OperatorPrincipal,
  server: Identifier,
  { kind, range }: BatchKind,
  certificates: readonly reshare.ReshareCertificate[],
  { run, signal }: { readonly run: Bytes | null; readonly signal: AbortSignal },
): Promise<void> {
  const body = encode(leaveReshareBody, { kind, range, run })
  const request = principal.request("reshare.leave", [server], body)
  const input = encode(leaveReshareInput, { certificates })
  const stepMs = principal.servers.patience.presigningStepMs
  await principal.act(server, request, 1, input, signal, stepMs)
}

interface Context {
  readonly kind: SharingKind
  /** What each server lists. */
  readonly listed: ReadonlyMap<Identifier, readonly SharingListing[]>
  readonly now: number
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

/**
 * Has servers erase what they still hold of sharings that are in force elsewhere, which they heard nothing
 * of when these moved. Returns of how many each has erased its share.
 */
export async function finishLeaving(
  principal: OperatorPrincipal,
  all: readonly InForce[],
  { kind, listed, now, signal, incidents }: Context,
): Promise<ReadonlyMap<Identifier, number>> {
  const done = new Map<Identifier, number>()
  for (const server of new Set(all.flatMap(({ left }) => left))) {
    for (const { of, left: some } of batchesAt(server, { all, kind, listed, now })) {
      throwIfCancelled(signal)
      try {
        const sharings = listed.get(server) ?? []
        const found = await Promise.all(
          some.map((one) => proofFor(principal, { kind, sharings }, one, signal)),
        )
        const certificates = found.filter((one) => one !== null)
        if (certificates.length === 0) continue
        await leaveAt(principal, server, of, certificates, { run: null, signal })
        done.set(server, (done.get(server) ?? 0) + certificates.length)
      } catch (error) {
        if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
        incidents.failed(server, error)
      }
    }
  }
  return done
}

/** What one server is to leave, so many at once; of accounts with the names between. */
function batchesAt(
  server: Identifier,
  {
    all,
    kind,
    listed,
    now,
  }: Pick<Context, "kind" | "listed" | "now"> & { readonly all: readonly InForce[] },
): readonly { readonly of: BatchKind; readonly left: readonly InForce[] }[] {
  if (kind === "accounts") {
    const stretches = stretchesLeft(server, all, listed.get(server) ?? [], now)
    return stretches.map(({ range, left }) => ({ of: { kind, range }, left }))
  }
  const held = all.filter(({ left }) => left.includes(server))
  return Array.from({ length: Math.ceil(held.length / RESHARE_BATCH) }, (_, i) => {
    return {
      of: { kind, range: null },
      left: held.slice(i * RESHARE_BATCH, (i + 1) * RESHARE_BATCH),
    }
  })
}

/**
 * What continues the sharing that a server still lists, from the first holder that shows it: of an account
 * whose password was changed since, not the one that is in force. What it is worth the server finds out.
 */
async function proofFor(
  principal: OperatorPrincipal,
  { kind, sharings }: { kind: SharingKind; sharings: readonly SharingListing[] },
  { id, heldBy }: InForce,
  signal: AbortSignal,
): Promise<reshare.ReshareCertificate | null> {
  const listed = sharings.find(({ sharing }) => equalBytes(sharing.id, id))
  for (const from of heldBy) {
    try {
      const body = encode(showReshareBody, { kind, id, run: NO_RUN })
      const request = principal.request("reshare.show", [from], body)
      const { output } = await principal.act(from, request, 1, EMPTY, signal)
      const { certificate, former } = readAnswer(from, shownReshare, output)
      for (const one of [certificate, former]) {
        if (one !== null && listed !== undefined && isOf(listed, one)) return one
      }
    } catch (error) {
      if (!(error instanceof LockKeeperError) || error.code === "cancelled") throw error
    }
  }
  return null
}

function isOf({ sharing }: SharingListing, certificate: reshare.ReshareCertificate): boolean {
  return equalBytes(sharing.context, certificate.sharing.context)
}
