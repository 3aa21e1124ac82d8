import { type Element, groupByName, type Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  equalBytes,
  list,
  nullable,
  struct,
} from "@lockkeeper/encoding"
import { judgeForm } from "../judged.ts"
import { echoDigest, type HeaderDigests, headerDigestsCodec } from "../messages/echo.ts"
import { LIMITS } from "../messages/limits.ts"
import { openMessage, type Received } from "../messages/message.ts"
import { reopenFirst } from "../messages/sealing.ts"
import { type Statement, statementCodec } from "../messages/statement.ts"
import { areShares, checkAnswer, checkVerdict, isDealtShare } from "../reshare/checks.ts"
import { keyDigest, type ReshareKey, reshareKeyCodec } from "../reshare/keys.ts"
import { isAscendingSet, type ReshareRunId, reshareRunIdCodec } from "../reshare/params.ts"
import { type Complaint, dealPayloadCodec, WHOLE_PART } from "../reshare/payloads.ts"
import { SCALAR_LENGTH } from "../sharing/packed.ts"
import { elementOrNull } from "../sharing/sharing.ts"
import { pathCodec, rootFrom } from "../sharing/tree.ts"
import { authentic, authenticOpening } from "./authentic.ts"
import { reshareRun } from "./reshare-statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** One entry of a batch, with its way to the root that the run's parameters name. */
export interface ListedKey {
  readonly key: ReshareKey
  readonly path: readonly Bytes[]
}

/**
 * One accusation with its answer: everything that decides between dealer and accuser. The answer is
 * the randomness of the disputed part's encapsulation, so anyone seals again what the dealer sealed.
 */
export interface ReshareComplaintEvidence {
  readonly kind: "reshare-complaint"
  readonly run: ReshareRunId
  /** The accuser's opening, with the key that the shares were to be sealed to. */
  readonly open: Statement
  /** The dealing, and the part of it that is disputed. */
  readonly deal: Statement
  readonly part: Bytes
  /** The dealings that the accuser says it saw. */
  readonly deals: HeaderDigests
  readonly verdict: Statement
  readonly answer: Statement
  /** The key that the complaint is about; null when it is about the whole part. */
  readonly listed: ListedKey | null
}

/** Accusations by as many holders as sign: at least one of them is honest. */
export interface ReshareComplaintsEvidence {
  readonly kind: "reshare-complaints"
  readonly run: ReshareRunId
  /** The dealer's opening, by which it took part under just this t'. */
  readonly open: Statement
  readonly verdicts: readonly Statement[]
}

export const reshareComplaintCodec: Codec<Omit<ReshareComplaintEvidence, "kind">> = struct({
  run: reshareRunIdCodec,
  open: statementCodec,
  deal: statementCodec,
  part: bytes(LIMITS.sealed),
  deals: headerDigestsCodec,
  verdict: statementCodec,
  answer: statementCodec,
  listed: nullable(struct<ListedKey>({ key: reshareKeyCodec, path: pathCodec })),
})

export const reshareComplaintsCodec: Codec<Omit<ReshareComplaintsEvidence, "kind">> = struct({
  run: reshareRunIdCodec,
  open: statementCodec,
  verdicts: list(statementCodec, LIMITS.participants),
})

function complaintOf(run: ReshareRunId, verdict: Received, dealer: Identifier): Complaint | null {
  const checked = checkVerdict(run, verdict)
  if (!checked.ok || checked.payload.kind !== "complain") return null
  return checked.payload.complaints.find((complaint) => complaint.dealer === dealer) ?? null
}

/** Whether the accuser's signed echo covers exactly this dealing. */
function isAbout(verdict: Received, deals: HeaderDigests, deal: Received): boolean {
  const seen = deals.get(deal.header.sender)
  if (!seen || !equalBytes(seen, deal.digest)) return false
  return equalBytes(verdict.header.previousDigest, echoDigest(deals))
}

/** The commitments dealt for one key; null when the dealing is at fault by itself. */
function vectorAt(run: ReshareRunId, deal: Received, index: number): readonly Element[] | null {
  const payload = judgeForm(dealPayloadCodec(run.params), deal.broadcast)
  if (!payload.ok) return null
  const group = groupByName(run.params.groups[index]!)
  const vector = payload.payload.vectors[index]!.map((raw) => elementOrNull(group, raw))
  return vector.every((element) => element !== null) ? vector : null
}

/** Whether the entry is the one at `index` of the run's batch; there is none about a whole part. */
function isListed(run: ReshareRunId, index: number, listed: ListedKey | null): boolean {
  if (index === WHOLE_PART || !listed) return index === WHOLE_PART && !listed
  const { groups, keys } = run.params
  const { key, path } = listed
  const root = rootFrom(keyDigest(key), { index, size: groups.length, path })
  return root !== null && equalBytes(root, keys)
}

interface Disputed {
  readonly run: ReshareRunId
  readonly dealer: Identifier
  readonly accuser: Identifier
  readonly complaint: Complaint
  readonly deal: Received
  readonly listed: ListedKey | null
}

/** Decides on what the dealer provably sealed. */
function decide(
  { run, dealer, accuser, complaint, deal, listed }: Disputed,
  payload: Bytes,
): Verdict {
  const { groups, dealers } = run.params
  if (!areShares(groups, payload)) return culprit(dealer, "bad-dealing")
  if (!listed) return culprit(accuser, "false-complaint")
  const { sharing } = listed.key
  if (sharing.group !== groups[complaint.index] || !sharing.verifyingShares.has(dealer)) {
    return worthless("no key of this run")
  }
  const vector = vectorAt(run, deal, complaint.index)
  if (!vector) return worthless("the dealing is faulty")
  const start = complaint.index * SCALAR_LENGTH
  const share = payload.subarray(start, start + SCALAR_LENGTH) as Bytes
  const right = isDealtShare({ sharing, dealers }, { dealer, vector }, accuser, share)
  return right ? culprit(accuser, "false-complaint") : culprit(dealer, "bad-dealing")
}

/**
 * Decides one complaint: the dealer when what it signed is no share for the accuser, or when its
 * answer does not fit what it signed; the accuser when the share was there. Never neither, once
 * answered, and never the honest one.
 */
export function verifyReshareComplaint(
  evidence: Omit<ReshareComplaintEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const { run, listed } = evidence
  const open = authenticOpening(reshareRun(run), evidence.open, verifyKeys)
  if (!open.ok) return open.verdict
  const accuser = open.message.header.sender
  const found = authentic(reshareRun(run), "deal", evidence.deal, verifyKeys)
  if (!found.ok) return found.verdict
  const deal = found.message
  const dealer = deal.header.sender
  const message = { ...evidence.deal, sealed: new Map([[accuser, evidence.part]]) }
  if (!openMessage(message, verifyKeys, accuser).ok) {
    return worthless("not the part that was signed")
  }

  const verdict = authentic(reshareRun(run), "verdict", evidence.verdict, verifyKeys)
  if (!verdict.ok) return verdict.verdict
  if (verdict.message.header.sender !== accuser) return worthless("not the accuser's verdict")
  const complaint = complaintOf(run, verdict.message, dealer)
  if (!complaint) return worthless("no such complaint")
  if (!isAbout(verdict.message, evidence.deals, deal)) return worthless("about another dealing")
  if (!isListed(run, complaint.index, listed)) return worthless("not the key in dispute")

  const answer = authentic(reshareRun(run), "answer", evidence.answer, verifyKeys)
  if (!answer.ok) return answer.verdict
  if (answer.message.header.sender !== dealer) return worthless("not the dealer's answer")
  const answered = checkAnswer(answer.message)
  if (!answered.ok) return culprit(dealer, answered.reason)
  const randomness = answered.payload.randomness.get(accuser)
  if (!randomness) return worthless("the complaint is not answered")

  const place = { slot: deal.header, recipient: accuser }
  const reopened = reopenFirst(place, open.payload.sealingKey!, randomness, evidence.part)
  if (reopened.kind === "other-randomness") return culprit(dealer, "wrong-answer")
  if (reopened.kind === "does-not-open") return culprit(dealer, "bad-dealing")
  return decide({ run, dealer, accuser, complaint, deal, listed }, reopened.payload)
}

/**
 * Accepts exactly t' distinct accusers, in ascending order, without an answer. This rests on the
 * threshold assumption that fewer than t' holders are corrupt, where every other evidence is
 * unconditional. The dealer's own opening says what t' is: in a run that it never took part in,
 * accusers could name one that suits them.
 */
export function verifyReshareComplaints(
  { run, open, verdicts }: Omit<ReshareComplaintsEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opening = authenticOpening(reshareRun(run), open, verifyKeys)
  if (!opening.ok) return opening.verdict
  const dealer = opening.message.header.sender
  const accusers: Identifier[] = []
  for (const statement of verdicts) {
    const found = authentic(reshareRun(run), "verdict", statement, verifyKeys)
    if (!found.ok) return found.verdict
    if (!complaintOf(run, found.message, dealer)) return worthless("no such complaint")
    accusers.push(found.message.header.sender)
  }
  const { minSigners } = run.params
  if (new Set(accusers).size < minSigners) return worthless("fewer accusers than minSigners")
  // One form only, so that the same proof is never two pieces of evidence.
  if (accusers.length > minSigners || !isAscendingSet(accusers)) {
    return worthless("the accusers are not minSigners in ascending order")
  }
  return culprit(dealer, "too-many-complaints")
}
