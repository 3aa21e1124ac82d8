import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { encodeEvidence, equivocationOf, NO_PREVIOUS, signMessage } from "@lockkeeper/protocols"
import type { Proofs } from "./trust.ts"

/** Evidence that convinces, against a participant whose key is here. */
export function proofsFrom(): Proofs {
  const key = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(1)))
  const slot = {
    ...({ protocol: "dkg", step: 1, attempt: 1 } as const),
    ...{ sessionId: new Uint8Array(32), rosterEpoch: 1, sender: 1 },
  }
  const [one, other] = [1, 2].map((n) => {
    const broadcast = new Uint8Array(32).fill(n)
    return signMessage(key, slot, { previousDigest: NO_PREVIOUS, broadcast }).header
  })
  if (one === undefined || other === undefined) throw new Error("two headers were signed")
  const evidence = [encodeEvidence(equivocationOf(one, other))]
  return { evidence, verifyKeys: new Map([[1, key.publicKey]]) }
}
