import { type SignedCredential, signCredential } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import type { Dependencies } from "../ports/dependencies.ts"
import { commitEvent } from "../request/commit.ts"
import { sessionEvent } from "../request/events.ts"
import { operatorNote, operatorOf } from "../request/operator.ts"
import type { ServerSelf } from "../self.ts"

/** How long a credential holds, milliseconds: who still has the directory gets the next one. */
export const CREDENTIAL_LIFETIME_MS = 3_600_000

/**
 * This server's word that a key is its operator's, given to whoever owns its directory and logged
 * before it leaves.
 *
 * @param operatorKey - Ed25519, 32 bytes.
 */
export async function certifyOperator(
  self: ServerSelf,
  deps: Dependencies,
  operatorKey: Bytes,
): Promise<SignedCredential> {
  const operator = operatorOf(self.identifier, operatorKey)
  const note = operatorNote(operator)
  await commitEvent(deps, sessionEvent("operator.certify", operator.operatorId, { note }))
  const issuedAt = deps.clock.now()
  const { rosterEpoch } = self.roster
  const expiresAt = issuedAt + CREDENTIAL_LIFETIME_MS
  const credential = { server: self.identifier, rosterEpoch, operatorKey, issuedAt, expiresAt }
  return signCredential(credential, self.identity)
}
