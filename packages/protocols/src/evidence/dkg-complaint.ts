import type { Element, Identifier } from "@lockkeeper/crypto"
import { type Bytes, bytes, type Codec, equalBytes, list, struct } from "@lockkeeper/encoding"
import { checkAnswer, checkVerdict, isShare } from "../dkg/checks.ts"
import { type DkgRunId, dkgRunIdCodec, groupFor, isAscending } from "../dkg/params.ts"
import { decodeOrNull, revealPayloadCodec } from "../dkg/payloads.ts"
import { echoDigest, type HeaderDigests, headerDigestsCodec } from "../messages/echo.ts"
import { LIMITS } from "../messages/limits.ts"
import { openMessage, type Received } from "../messages/message.ts"
import { reopenFirst } from "../messages/sealing.ts"
import { type Statement, statementCodec } from "../messages/statement.ts"
import { authentic, authenticOpening } from "./authentic.ts"
import { dkgRun } from "./dkg-statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * One accusation with its answer: everything that decides between dealer and accuser. The answer is
 * the randomness of the disputed part's encapsulation, so anyone seals again what the dealer sealed.
 */
export interface DkgComplaintEvidence {
  readonly kind: "dkg-complaint"
  readonly run: DkgRunId
  /** The accuser's opening, with the key that the share was to be sealed to. */
  readonly open: Statement
  /** The dealer's reveal and the part of it that is disputed. */
  readonly reveal: Statement
  readonly part: Bytes
  /** The reveals that the accuser says it saw. */
  readonly reveals: HeaderDigests
  readonly verdict: Statement
  readonly answer: Statement
}

/** Accusations by as many participants as sign: at least one of them is honest. */
export interface DkgComplaintsEvidence {
  readonly kind: "dkg-complaints"
  readonly run: DkgRunId
  /** The dealer's opening, by which it took part under just this minSigners. */
  readonly open: Statement
  readonly verdicts: readonly Statement[]
}

export const dkgComplaintCodec: Codec<Omit<DkgComplaintEvidence, "kind">> = struct({
  run: dkgRunIdCodec,
  open: statementCodec,
  reveal: statementCodec,
  part: bytes(LIMITS.sealed),
  reveals: headerDigestsCodec,
  verdict: statementCodec,
  answer: statementCodec,
})

export const dkgComplaintsCodec: Codec<Omit<DkgComplaintsEvidence, "kind">> = struct({
  run: dkgRunIdCodec,
  open: statementCodec,
  verdicts: list(statementCodec, LIMITS.participants),
})

function complainsOf(run: DkgRunId, verdict: Received, dealer: Identifier): boolean {
  const checked = checkVerdict(run.params, verdict)
  return (
    checked.ok && checked.payload.kind === "complain" && checked.payload.dealers.includes(dealer)
  )
}

/** Whether the accuser's signed echo covers exactly this reveal. */
function isAbout(verdict: Received, reveals: HeaderDigests, reveal: Received): boolean {
  const seen = reveals.get(reveal.header.sender)
  if (!seen || !equalBytes(seen, reveal.digest)) return false
  return equalBytes(verdict.header.previousDigest, echoDigest(reveals))
}

/** The revealed vector; null when it is at fault by itself, which is judged before complaints. */
function vectorIn(run: DkgRunId, reveal: Received): readonly Element[] | null {
  const { params } = run
  const payload = decodeOrNull(revealPayloadCodec(groupFor(params)), reveal.broadcast)
  return payload?.vector.length === params.minSigners ? payload.vector : null
}

/**
 * Decides one complaint: the dealer when what it signed is no share for the accuser, or when its
 * answer does not fit what it signed; the accuser when the share was there. Never neither, once
 * answered, and never the honest one: an honest dealer's part reopens to a share, and an honest
 * accuser complains only of a part that does not.
 */
export function verifyDkgComplaint(
  evidence: Omit<DkgComplaintEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const { run } = evidence
  const open = authenticOpening(dkgRun(run), evidence.open, verifyKeys)
  if (!open.ok) return open.verdict
  const accuser = open.message.header.sender
  const found = authentic(dkgRun(run), "reveal", evidence.reveal, verifyKeys)
  if (!found.ok) return found.verdict
  const reveal = found.message
  const dealer = reveal.header.sender
  const message = { ...evidence.reveal, sealed: new Map([[accuser, evidence.part]]) }
  if (!openMessage(message, verifyKeys, accuser).ok)
    return worthless("not the part that was signed")

  const verdict = authentic(dkgRun(run), "verdict", evidence.verdict, verifyKeys)
  if (!verdict.ok) return verdict.verdict
  if (verdict.message.header.sender !== accuser) return worthless("not the accuser's verdict")
  if (!complainsOf(run, verdict.message, dealer)) return worthless("no such complaint")
  if (!isAbout(verdict.message, evidence.reveals, reveal)) return worthless("about another reveal")

  const answer = authentic(dkgRun(run), "answer", evidence.answer, verifyKeys)
  if (!answer.ok) return answer.verdict
  if (answer.message.header.sender !== dealer) return worthless("not the dealer's answer")
  const answered = checkAnswer(answer.message)
  if (!answered.ok) return culprit(dealer, answered.reason)
  const randomness = answered.payload.randomness.get(accuser)
  if (!randomness) return worthless("the complaint is not answered")

  const place = { slot: reveal.header, recipient: accuser }
  const reopened = reopenFirst(place, open.payload.sealingKey, randomness, evidence.part)
  if (reopened.kind === "other-randomness") return culprit(dealer, "wrong-answer")
  if (reopened.kind === "does-not-open") return culprit(dealer, "bad-dealing")
  const vector = vectorIn(run, reveal)
  if (!vector) return worthless("the reveal is faulty")
  const right = isShare(groupFor(run.params), vector, accuser, reopened.payload)
  return right ? culprit(accuser, "false-complaint") : culprit(dealer, "bad-dealing")
}

/**
 * Accepts exactly minSigners distinct accusers, in ascending order, without an answer. This rests on
 * the threshold assumption that fewer than minSigners participants are corrupt, where every other
 * evidence is unconditional. The dealer's own opening says what minSigners is: in a run that it never
 * took part in, accusers could name one that suits them.
 */
export function verifyDkgComplaints(
  { run, open, verdicts }: Omit<DkgComplaintsEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opening = authenticOpening(dkgRun(run), open, verifyKeys)
  if (!opening.ok) return opening.verdict
  const dealer = opening.message.header.sender
  const accusers: Identifier[] = []
  for (const statement of verdicts) {
    const found = authentic(dkgRun(run), "verdict", statement, verifyKeys)
    if (!found.ok) return found.verdict
    if (!complainsOf(run, found.message, dealer)) return worthless("no such complaint")
    accusers.push(found.message.header.sender)
  }
  const { minSigners } = run.params
  if (new Set(accusers).size < minSigners) return worthless("fewer accusers than minSigners")
  // One form only, so that the same proof is never two pieces of evidence.
  if (accusers.length > minSigners || !isAscending(accusers)) {
    return worthless("the accusers are not minSigners in ascending order")
  }
  return culprit(dealer, "too-many-complaints")
}
