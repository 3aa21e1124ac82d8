import { FIRST_DEVICE } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes, toHex } from "@lockkeeper/encoding"
import {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  LIMITS,
  verifyEvidence,
} from "@lockkeeper/protocols"
import { evidenceCodec } from "@lockkeeper/protocols/payloads"
import { alterFile, proves } from "./evidence-files.ts"
import type { CaseResult } from "./harness.ts"
import { type Mutant, mutantsOf } from "./mutations.ts"
import { identityOf, seeded } from "./seeded.ts"

/** Single bytes changed in each piece, beside its fields. */
const BYTES = 40

type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

interface Piece {
  readonly kind: Evidence["kind"]
  readonly encoded: Bytes
  readonly verifyKeys: VerifyKeys
}

/** What altering valid evidence came to; `accepted` lists alterations that still prove something. */
export interface EvidenceReport {
  readonly kinds: readonly Evidence["kind"][]
  readonly altered: number
  readonly accepted: number
  readonly acceptedAs: readonly string[]
  /** Of the pieces, and of the files with a roster in them, as they were: bytes. */
  readonly largest: number
  readonly largestFile: number
}

/** Collects some valid evidence of each kind as the cases give it. */
export class EvidenceCollection {
  readonly #pieces = new Map<Evidence["kind"], Piece[]>()
  readonly #most: number

  /** @param most - pieces of each kind that are kept to be altered. */
  constructor(most: number) {
    this.#most = most
  }

  add({ evidence, verifyKeys }: Pick<CaseResult, "evidence" | "verifyKeys">): void {
    for (const encoded of evidence) {
      const { kind } = decodeEvidence(encoded)
      const pieces = this.#pieces.get(kind) ?? []
      this.#pieces.set(kind, pieces)
      const known = pieces.some((piece) => equalBytes(piece.encoded, encoded))
      if (pieces.length < this.#most && !known) pieces.push({ kind, encoded, verifyKeys })
    }
  }

  /** Alters every piece in every field, in single bytes and in the keys it is verified with. */
  alterAll(): EvidenceReport {
    let altered = 0
    let largest = 0
    let largestFile = 0
    const acceptedAs: string[] = []
    for (const [kind, pieces] of this.#pieces) {
      for (const [i, piece] of pieces.entries()) {
        largest = Math.max(largest, piece.encoded.length)
        for (const { what, encoded, verifyKeys } of alterations(piece, pieces[i === 0 ? 1 : 0])) {
          altered++
          if (verifyEvidence(encoded, verifyKeys).valid) acceptedAs.push(`${kind} ${i}: ${what}`)
        }
        const members = [...piece.verifyKeys.keys()].filter((one) => one < FIRST_DEVICE)
        // No roster lists a device: what shows its fault to who knows its key shows nothing to others.
        if (members.length < piece.verifyKeys.size) {
          altered++
          if (proves(piece.encoded, members)) acceptedAs.push(`${kind} ${i}: a device's fault`)
          continue
        }
        const file = alterFile(piece.encoded, members)
        altered += file.altered
        largestFile = Math.max(largestFile, file.length)
        acceptedAs.push(...file.accepted.map((what) => `${kind} ${i}: ${what}`))
      }
    }
    const kinds = [...this.#pieces.keys()].sort()
    return { kinds, altered, accepted: acceptedAs.length, acceptedAs, largest, largestFile }
  }
}

interface Alteration {
  readonly what: string
  readonly encoded: Bytes
  readonly verifyKeys: VerifyKeys
}

function* alterations(piece: Piece, other: Piece | undefined): Iterable<Alteration> {
  const { encoded, verifyKeys, kind } = piece
  if (encoded.length > LIMITS.evidence) throw new Error(`${kind} is above ${LIMITS.evidence} bytes`)
  const mutants: Mutant[] = mutantsOf({
    name: toHex(seeded(toHex(encoded), 8)),
    codec: evidenceCodec,
    encoded,
    ...(other && { sessions: other.encoded }),
  })
  for (const { field, mutation, encoded: changed } of mutants) {
    yield { what: `${field} ${mutation}`, encoded: changed, verifyKeys }
  }
  for (let i = 0; i < BYTES; i++) {
    const [a = 0, b = 0, c = 0, d = 0] = seeded(`${toHex(encoded)}/${i}`, 4)
    const at = (a * 65_536 + b * 256 + c) % encoded.length
    const changed = encoded.slice()
    changed[at] = (changed[at] as number) ^ (d || 1)
    yield { what: `byte ${at}`, encoded: changed, verifyKeys }
  }
  const swapped = exchanged(piece)
  if (swapped) yield { what: "first and second exchanged", encoded: swapped, verifyKeys }
  yield* underOtherKeys(piece)
}

/** Evidence of two sides with the sides exchanged. */
function exchanged({ encoded }: Piece): Bytes | null {
  const evidence = decodeEvidence(encoded)
  if (evidence.kind === "equivocation") {
    return encodeEvidence({ ...evidence, first: evidence.second, second: evidence.first })
  }
  if (evidence.kind !== "dkls-edge" || evidence.edge.kind !== "zero-sharing") return null
  const { edge } = evidence
  return encodeEvidence({ ...evidence, edge: { ...edge, first: edge.second, second: edge.first } })
}

/** The same evidence under a roster in which those it names have other keys, or none. */
function* underOtherKeys({ encoded, verifyKeys }: Piece): Iterable<Alteration> {
  const verdict = verifyEvidence(encoded, verifyKeys)
  if (!verdict.valid) throw new Error("only valid evidence is altered")
  const named = "pair" in verdict ? verdict.pair : [verdict.culprit]
  for (const identifier of named) {
    const without = new Map(verifyKeys)
    without.delete(identifier)
    yield { what: `no key of ${identifier}`, encoded, verifyKeys: without }
    for (const [other, key] of verifyKeys) {
      if (other === identifier) continue
      const own = verifyKeys.get(identifier) as Uint8Array
      const swapped = new Map(verifyKeys).set(identifier, key).set(other, own)
      yield { what: `keys of ${identifier} and ${other}`, encoded, verifyKeys: swapped }
    }
    const stranger = new Map(verifyKeys).set(identifier, identityOf(4242).publicKey)
    yield { what: `a stranger's key for ${identifier}`, encoded, verifyKeys: stranger }
  }
}
