import { type Identifier, type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import type { dkls } from "@lockkeeper/protocols"
import type { Ended, Verdicts } from "../harness.ts"
import { type ByHolder, signOnline } from "./online-driver.ts"
import type { Parties } from "./parties.ts"
import type { PresignEnd } from "./presign-driver.ts"

/** Whether a signer's secrets are those behind what the record says of it. */
function fitsItsRecord({ certificate, identifier, phi, u, v }: dkls.Presignature): boolean {
  const own = certificate.record.signers.get(identifier)
  if (!own) return false
  const is = (secret: typeof phi, image: typeof own.phi) =>
    secp256k1.equal(secp256k1.multiplyBase(secret.expose() as Scalar), image)
  return is(phi, own.phi) && is(u, own.u) && is(v, own.v)
}

/** Who of the liar's presignatures and the honest ones' belong together: one of each batch place. */
function together(end: PresignEnd, index: number): ByHolder {
  return new Map([...end.presignatures].map(([id, all]) => [id, all[index]!]))
}

/**
 * What became of a run: who was named, and whether what honest signers hold is right. It is tried out
 * with the dishonest one, which signs with what it computed for itself: then it is named at the latest.
 */
export function presignVerdicts(
  parties: Parties,
  honest: readonly Identifier[],
  signers: readonly Identifier[],
  end: PresignEnd,
): Verdicts {
  const { verifyKeys } = parties
  const aborts: Ended[] = [...end.aborts.values()]
  const accepted: string[] = []
  for (const id of end.unstopped) {
    if (honest.includes(id)) accepted.push(`${id} keeps the state of a run in which it accused`)
  }
  for (const [accuser, accused] of end.accusations) {
    if (honest.includes(accused)) accepted.push(`${accuser} accuses ${accused}, who is honest`)
  }
  const active = honest.filter((identifier) => end.presignatures.has(identifier))
  const batches = active.map((identifier) => end.presignatures.get(identifier)!)
  for (const own of batches.flat()) {
    if (!fitsItsRecord(own)) accepted.push("a share that is not the one of its record")
  }
  const names = new Set(batches.map((batch) => batch.map(({ id }) => toHex(id)).join()))
  if (names.size > 1) accepted.push("other presignatures than another honest signer")
  if (active.length < honest.length || accepted.length > 0) {
    return { verifyKeys, aborts, finished: false, accepted }
  }
  const silent = signers.filter((signer) => !end.presignatures.get(signer)?.length)
  if (silent.length > 0) {
    const stopped = { reason: "missing-messages", silent, culprits: [], pair: null } as const
    return {
      verifyKeys,
      aborts: [...aborts, { ...stopped, evidence: [] }],
      finished: false,
      accepted,
    }
  }
  let finished = true
  const liar = signers.find((signer) => !honest.includes(signer)) ?? null
  for (const [index] of batches[0]!.entries()) {
    const signed = signOnline(parties, together(end, index), { liar })
    aborts.push(...signed.aborts.values())
    finished &&= signed.signature !== null
  }
  return { verifyKeys, aborts, finished, accepted }
}
