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
    const shown = new Set<string>()
    return observed.signatures.flatMap((signature) => {
      const counts = new Map<string, Set<Identifier>>()
      for (const { server, request } of entriesOf(observed, signature)) {
        counts.set(request, (counts.get(request) ?? new Set()).add(server))
      }
      const enough = [...counts].find(
        ([request, servers]) => servers.size >= observed.minSigners && !shown.has(request),
      )
      if (enough !== undefined) {
        shown.add(enough[0])
        return []
      }
      const most = Math.max(0, ...[...counts.values()].map(({ size }) => size))
      return [
        `${signature.actor} has a signature by ${signature.signers.join(", ")} that ${most} logs show`,
      ]
    })
  },
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
