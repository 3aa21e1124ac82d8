import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes, toHex } from "@lockkeeper/encoding"
import type { GrantedSignature, Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"

const SIGNING: ReadonlySet<string> = new Set(["sign", "ecdsa.sign"])

/**
 * Each signer's log has an entry, committed before the client had the signature, that stands at or
 * before the position the client was told; t signers' entries name the same request, which stands for
 * one signature only.
 */
export const logged: Checker = {
  name: "logged",
  holds: "no client has a signature that the logs of t servers do not show",
  check(observed) {
    const possible = observed.signatures.map((signature) => requestsOf(observed, signature))
    const takenBy = new Map<string, number>()
    return observed.signatures.flatMap((signature, place) => {
      const { complete, most } = possible[place] as Possible
      if (complete.length > 0 && assign(place, possible, takenBy, new Set())) return []
      const { actor, signers } = signature
      return [`${actor} has a signature by ${signers.join(", ")} that ${most} logs show`]
    })
  },
}

/** The requests that may be what a signature was given for. */
interface Possible {
  /** By their digests: those that t logs show. */
  readonly complete: readonly string[]
  /** How many logs show the one that most of them do. */
  readonly most: number
}

function requestsOf(observed: Observed, signature: GrantedSignature): Possible {
  const counts = new Map<string, Set<Identifier>>()
  for (const { server, request } of entriesOf(observed, signature)) {
    counts.set(request, (counts.get(request) ?? new Set()).add(server))
  }
  // The key's threshold, where not all have one.
  const { minSigners } = observed
  const isChanged = observed.rosters.length > 1
  const need = isChanged ? Math.max(minSigners, signature.signers.length) : minSigners
  const isComplete = ([, servers]: readonly [string, Set<Identifier>]) => servers.size >= need
  const complete = [...counts].filter(isComplete).map(([request]) => request)
  return { complete, most: Math.max(0, ...[...counts.values()].map(({ size }) => size)) }
}

/**
 * Gives the signature a request of its own, if need be by giving those that have its requests others:
 * entries of several requests may stand before the position of one signature.
 */
function assign(
  place: number,
  possible: readonly Possible[],
  takenBy: Map<string, number>,
  tried: Set<string>,
): boolean {
  for (const request of possible[place]?.complete ?? []) {
    if (tried.has(request)) continue
    tried.add(request)
    const holder = takenBy.get(request)
    if (holder === undefined || assign(holder, possible, takenBy, tried)) {
      takenBy.set(request, place)
      return true
    }
  }
  return false
}

function entriesOf({ commits }: Observed, { order, keyId, log }: GrantedSignature) {
  const told = new Map(log.map(({ server, index }) => [server, index]))
  return commits.flatMap(({ order: at, server, events }) =>
    events.flatMap(({ operation, outcome, requestDigest, keyId: signedWith, index }) => {
      const position = told.get(server)
      const right =
        at < order &&
        position !== undefined &&
        index <= position &&
        SIGNING.has(operation) &&
        outcome === "done" &&
        signedWith !== null &&
        equalBytes(signedWith, keyId)
      return right && requestDigest !== null ? [{ server, request: toHex(requestDigest) }] : []
    }),
  )
}
