import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import { type Codec, equalBytes, list, struct, u8, union } from "@lockkeeper/encoding"
import { isAscending } from "../dkg/params.ts"
import { firstSlot } from "../dkls/first-step.ts"
import { judgeSaid, zeroMismatch } from "../dkls/presign/checks.ts"
import {
  type PresignRun,
  presignRunCodec,
  presignSession,
  presignSlot,
} from "../dkls/presign/params.ts"
import { type KeyCertificate, keyCertificateCodec } from "../keys.ts"
import { slotMismatch } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import { openStatement, type Statement, statementCodec } from "../messages/statement.ts"
import { certifiedKey, type EarlierKeys, hasConfirmed, isStillServer } from "./certified.ts"
import {
  authenticExchange,
  authenticSaid,
  type ShownPayload,
  shownPayloadCodec,
} from "./dkls-presign.ts"
import { culprit, pairAtFault, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** Signed proof that one of two is at fault; which of them, it does not tell. */
export type DklsEdge =
  /** One accused the other of what it had sealed or multiplied for it, by a message it had signed. */
  | {
      readonly kind: "accusation"
      readonly run: PresignRun
      /** At which the accusation was made; what it is about was said in the step before. */
      readonly step: 2 | 3 | 4
      readonly accusation: Statement
      readonly against: Statement
    }
  /** Z_jk != -Z_kj, which both derive from one secret of theirs. */
  | {
      readonly kind: "zero-sharing"
      readonly run: PresignRun
      readonly first: ShownPayload
      readonly second: ShownPayload
    }

type Accusation = Extract<DklsEdge, { kind: "accusation" }>
type ZeroSharing = Extract<DklsEdge, { kind: "zero-sharing" }>

const edgeCodec: Codec<DklsEdge> = union<DklsEdge>({
  accusation: struct({
    run: presignRunCodec,
    step: u8 as Codec<2 | 3 | 4>,
    accusation: statementCodec,
    against: statementCodec,
  }),
  "zero-sharing": struct({
    run: presignRunCodec,
    first: shownPayloadCodec,
    second: shownPayloadCodec,
  }),
})

/** An edge by itself: it keeps a signer set from holding both ends. */
export interface DklsEdgeEvidence {
  readonly kind: "dkls-edge"
  readonly edge: DklsEdge
}

export const dklsEdgeCodec: Codec<Omit<DklsEdgeEvidence, "kind">> = struct({ edge: edgeCodec })

/**
 * Edges from one server to as many distinct others as the key takes to sign: fewer than that are
 * corrupt, so at least one other end is honest, and honest ends make no edge with each other.
 */
export interface DklsEdgesEvidence {
  readonly kind: "dkls-edges"
  readonly culprit: Identifier
  /**
   * Of a key that the edges' roster knows, or one before it: it says what number of servers is assumed to
   * be honest.
   */
  readonly certificate: KeyCertificate
  readonly edges: readonly DklsEdge[]
}

export const dklsEdgesCodec: Codec<Omit<DklsEdgesEvidence, "kind">> = struct({
  culprit: identifierCodec,
  certificate: keyCertificateCodec,
  edges: list(edgeCodec, LIMITS.participants),
})

type Judgement =
  | { readonly ok: true; readonly pair: readonly [Identifier, Identifier]; readonly zeros: boolean }
  | { readonly ok: false; readonly why: string }

const refuse = (why: string): Judgement => ({ ok: false, why })

function judgeAccusation(edge: Accusation, verifyKeys: VerifyKeys): Judgement {
  const { run, step, accusation, against } = edge
  if (![2, 3, 4].includes(step)) return refuse("no step has accusations but 2 to 4")
  const said = authenticSaid(run, step, accusation, verifyKeys)
  if (!said.ok) return refuse(`accusation: ${said.why}`)
  const judged = judgeSaid(run.params, step, said.message)
  if (!judged.ok) return refuse(`accusation: ${judged.reason}`)
  if (judged.payload.kind !== "accuse") return refuse("the statement accuses nobody")
  const { accused } = judged.payload
  const about = openStatement(against, verifyKeys)
  if (!about.ok) return refuse(`against: ${about.abort.reason}`)
  const { header, digest } = about.value
  if (header.sender !== accused) return refuse("it is not about a message of the accused")
  if (step === 2) {
    const slot = firstSlot(
      { step: 1, rosterEpoch: run.params.rosterEpoch },
      header.sessionId,
      accused,
    )
    const listed = run.openings.get(accused)
    const isOpening = listed !== undefined && equalBytes(listed, digest)
    if (slotMismatch(header, slot) || !isOpening) return refuse("against: not of this run")
  } else {
    const slot = presignSlot(run.params, step === 3 ? 2 : 3, presignSession(run))
    if (slotMismatch(header, slot)) return refuse("against: not of this run")
    const form = judgeSaid(run.params, step === 3 ? 2 : 3, about.value)
    if (!form.ok || form.payload.kind !== "digest") return refuse("against: it seals nothing")
  }
  return { ok: true, pair: [said.message.header.sender, accused], zeros: false }
}

function judgeZeros({ run, first, second }: ZeroSharing, verifyKeys: VerifyKeys): Judgement {
  const a = authenticExchange(run, first, verifyKeys)
  if (!a.ok) return refuse(`first: ${a.why}`)
  const b = authenticExchange(run, second, verifyKeys)
  if (!b.ok) return refuse(`second: ${b.why}`)
  if (a.sender >= b.sender) return refuse("their ends are not in ascending order")
  const payloads = new Map([
    [a.sender, a.payload],
    [b.sender, b.payload],
  ])
  const mismatch = zeroMismatch(payloads)
  if (!mismatch) return refuse("their zero shares cancel out")
  return { ok: true, pair: mismatch, zeros: true }
}

function judgeEdge(edge: DklsEdge, verifyKeys: VerifyKeys): Judgement {
  return edge.kind === "accusation"
    ? judgeAccusation(edge, verifyKeys)
    : judgeZeros(edge, verifyKeys)
}

export function verifyDklsEdge(
  { edge }: Omit<DklsEdgeEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const judged = judgeEdge(edge, verifyKeys)
  if (!judged.ok) return worthless(judged.why)
  return pairAtFault(judged.pair, judged.zeros ? "wrong-zero-sharing" : "pairwise-fault")
}

export function verifyDklsEdges(
  { culprit: named, certificate, edges }: Omit<DklsEdgesEvidence, "kind">,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): Verdict {
  const certified = certifiedKey(certificate, verifyKeys, earlier)
  if (!certified.ok) return worthless(`certificate: ${certified.abort.reason}`)
  const { minSigners, verifyingShares } = certified.value
  // Who came in another's place since may be one more that is corrupt than the key was made to stand.
  const isServer = (one: Identifier): boolean =>
    verifyingShares.has(one) && isStillServer(certificate, one, verifyKeys, earlier)
  if (!isServer(named)) return worthless("the culprit is not a server of the key")
  // Whoever made up a quorum could otherwise name a threshold that too few edges reach.
  if (!hasConfirmed(certificate, named, verifyKeys, earlier)) {
    return worthless("certificate: not the culprit's")
  }
  const rosterEpoch = edges[0]?.run.params.rosterEpoch
  const others: Identifier[] = []
  for (const edge of edges) {
    const judged = judgeEdge(edge, verifyKeys)
    if (!judged.ok) return worthless(judged.why)
    if (edge.run.params.rosterEpoch !== rosterEpoch) return worthless("edges of two rosters")
    const [a, b] = judged.pair
    if (a !== named && b !== named) return worthless("an edge between two others")
    const other = a === named ? b : a
    if (!isServer(other)) return worthless("an edge with no server of the key")
    others.push(other)
  }
  if (new Set(others).size < minSigners) {
    return worthless("edges with fewer others than can all be corrupt")
  }
  // One form only, so that the same proof is never two pieces of evidence.
  if (others.length > minSigners || !isAscending(others)) {
    return worthless("the other ends are not minSigners in ascending order")
  }
  return culprit(named, "pairwise-fault")
}
