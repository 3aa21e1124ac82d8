import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import type { PresignatureRecord } from "../types.ts"
import { combinedNonces, judgePublish, type PublishBasis } from "./checks.ts"
import { exchangePayloadCodec, type PublishPayload, publishPayloadCodec } from "./payloads.ts"
import { recordsOf } from "./record.ts"
import { type PresignResult, type PresignTask, publishedSecretCodec, wipeDecoded } from "./task.ts"
import { FaultList, openSealed } from "./work-publish.ts"

/**
 * Step 4: check what every other signer has published of its shares, and write down what is known of
 * each presignature. U = phi*R and V = phi*pk for the sums follow from the checks by algebra.
 */
export function confirmStep(task: PresignTask): PresignResult {
  const kept = decode(publishedSecretCodec, task.secret)
  try {
    const opened = new Map<Identifier, Bytes>()
    for (const [sender, peer] of task.peers) {
      const sealed = openSealed(task, 3, sender, kept.runSecrets.get(sender)!, peer)
      if (!sealed || sealed.product.length > 0) return { kind: "accuse", accused: sender }
      opened.set(sender, sealed.payload)
    }
    const judged = judgeAll(task, opened)
    if ("kind" in judged) return judged
    const { phi, u, v } = kept
    const secret = encode(publishedSecretCodec, { phi, u, v, runSecrets: new Map() })
    return { kind: "recorded", records: judged.records, secret, opened }
  } finally {
    wipeDecoded(kept)
  }
}

function judgeAll(
  task: PresignTask,
  opened: ReadonlyMap<Identifier, Bytes>,
): Extract<PresignResult, { kind: "fault" }> | { readonly records: readonly PresignatureRecord[] } {
  const { params, sessionId, identifier } = task
  const { verifyingKey } = task.public
  const exchanges = new Map(
    [...task.exchanged].map(([sender, payload]) => [sender, decode(exchangePayloadCodec, payload)]),
  )
  const nonces = combinedNonces(params.count, exchanges)
  const published = new Map<Identifier, readonly PublishPayload[]>([
    [identifier, decode(publishPayloadCodec, task.published.get(identifier)!)],
  ])
  const faults = new FaultList()
  for (const [sender, payload] of opened) {
    const basis: PublishBasis = { params, sessionId, verifyingKey, sender, exchanges, nonces }
    const judged = judgePublish(basis, payload)
    if (judged.ok) published.set(sender, judged.payload)
    else faults.add(sender, judged.reason, judged.field)
  }
  const fault = faults.result(opened)
  if (fault) return fault
  return { records: recordsOf({ params, sessionId, verifyingKey, nonces }, published) }
}
