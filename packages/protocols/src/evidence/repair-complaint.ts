import { type Element, groupByName, type Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  equalBytes,
  nullable,
  oneOf,
  struct,
} from "@lockkeeper/encoding"
import { digestsOf, echoDigest, type HeaderDigests, headerDigestsCodec } from "../messages/echo.ts"
import { LIMITS } from "../messages/limits.ts"
import { openMessage, type Received } from "../messages/message.ts"
import { reopenFirst } from "../messages/sealing.ts"
import { type Statement, statementCodec, statementsCodec } from "../messages/statement.ts"
import {
  checkAnswer,
  checkSplit,
  checkSum,
  checkVerdict,
  isLogarithm,
  sumImage,
  summandImage,
} from "../repair/checks.ts"
import { type RepairRunId, repairRunIdCodec } from "../repair/params.ts"
import { imagesAt } from "../repair/splits.ts"
import { areShares, type Dealt } from "../reshare/checks.ts"
import { type Complaint, WHOLE_PART } from "../reshare/payloads.ts"
import { SCALAR_LENGTH } from "../sharing/packed.ts"
import { type Sharing, sharingCodec, sharingDigest } from "../sharing/sharing.ts"
import { pathCodec, rootFrom } from "../sharing/tree.ts"
import { authentic, authenticOpening } from "./authentic.ts"
import { repairRun } from "./repair-statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** One sharing of a batch, with its way to the root that the run's parameters name. */
export interface ListedSharing {
  readonly sharing: Sharing
  readonly path: readonly Bytes[]
}

/**
 * One accusation with its answer: everything that decides between a helper and its accuser, which is
 * another helper that complains of summands, or the member that complains of a sum. The answer is the
 * randomness of the disputed part's encapsulation, so anyone seals again what the helper sealed.
 */
export interface RepairComplaintEvidence {
  readonly kind: "repair-complaint"
  readonly run: RepairRunId
  readonly about: "split" | "sum"
  /** The accuser's opening, with the key that the part was to be sealed to. */
  readonly open: Statement
  /** The helper's message and the part of it that is disputed. */
  readonly said: Statement
  readonly part: Bytes
  /** The messages of that step which the accuser says it saw. */
  readonly seen: HeaderDigests
  readonly complaint: Statement
  readonly answer: Statement
  /** What the helpers published: of a sum all of it, else nothing. */
  readonly splits: ReadonlyMap<Identifier, Statement>
  /** The key that the complaint is about; null when it is about the whole part. */
  readonly listed: ListedSharing | null
}

export const repairComplaintCodec: Codec<Omit<RepairComplaintEvidence, "kind">> = struct({
  run: repairRunIdCodec,
  about: oneOf("split", "sum"),
  open: statementCodec,
  said: statementCodec,
  part: bytes(LIMITS.sealed),
  seen: headerDigestsCodec,
  complaint: statementCodec,
  answer: statementCodec,
  splits: statementsCodec,
  listed: nullable(struct<ListedSharing>({ sharing: sharingCodec, path: pathCodec })),
})

type Evidence = Omit<RepairComplaintEvidence, "kind">

function complaintOf(
  { run, about }: Evidence,
  message: Received,
  helper: Identifier,
): Complaint | null {
  const check = about === "split" ? checkSum : checkVerdict
  const checked = check(run.params, message)
  if (!checked.ok || checked.payload.kind !== "complain") return null
  return checked.payload.complaints.find(({ dealer }) => dealer === helper) ?? null
}

/** Whether the accuser's signed echo covers exactly this message. */
function isAbout(complaint: Received, seen: HeaderDigests, said: Received): boolean {
  const digest = seen.get(said.header.sender)
  if (!digest || !equalBytes(digest, said.digest)) return false
  return equalBytes(complaint.header.previousDigest, echoDigest(seen))
}

/** What all helpers published, as the accused's own echo says that it saw it; null otherwise. */
function splitsOf(
  { run, splits }: Evidence,
  said: Received,
  verifyKeys: VerifyKeys,
): Map<Identifier, Dealt> | null {
  if (splits.size !== run.params.helpers.length) return null
  if (!equalBytes(said.header.previousDigest, echoDigest(digestsOf(splits)))) return null
  const published = new Map<Identifier, Dealt>()
  for (const [helper, split] of splits) {
    const found = authentic(repairRun(run), "split", split, verifyKeys)
    if (!found.ok || found.message.header.sender !== helper) return null
    const checked = checkSplit(run.params, found.message)
    if (!checked.ok) return null
    published.set(helper, checked.payload)
  }
  return published
}

/**
 * Whether the entry is the one at `index` of the run's batch; there is none about a whole part. One
 * form only, so that the same proof is never two pieces of evidence.
 */
function isListed({ run, about, listed, splits }: Evidence, index: number): boolean {
  const single = index !== WHOLE_PART
  if (single !== (listed !== null)) return false
  if ((single && about === "sum") !== splits.size > 0) return false
  if (!listed) return true
  const { groups, keys } = run.params
  const place = { index, size: groups.length, path: listed.path }
  const root = rootFrom(sharingDigest(listed.sharing), place)
  return root !== null && equalBytes(root, keys)
}

interface Disputed {
  readonly evidence: Evidence
  readonly helper: Identifier
  readonly accuser: Identifier
  readonly complaint: Complaint
  readonly said: Received
  /** Of a sum about one key: what all helpers published. */
  readonly splits: ReadonlyMap<Identifier, Dealt>
}

type Expected = { readonly image: Element | null } | { readonly why: string }

/** The image of what the helper owed for the key in dispute. */
function expectedImage(
  { evidence, helper, accuser, complaint, said, splits }: Disputed,
  sharing: Sharing,
): Expected {
  const { params } = evidence.run
  if (evidence.about === "split") {
    const checked = checkSplit(params, said)
    if (!checked.ok) return { why: "the split is faulty" }
    const images = checked.payload[complaint.index]!
    return { image: summandImage(params, sharing, { helper, images }, accuser) }
  }
  return { image: sumImage(params, sharing, imagesAt(splits, complaint.index), helper) }
}

/** Decides on what the helper provably sealed. */
function decide(disputed: Disputed, payload: Bytes): Verdict {
  const { evidence, helper, accuser, complaint } = disputed
  const { groups, helpers, member } = evidence.run.params
  if (!areShares(groups, payload)) return culprit(helper, "bad-dealing")
  const { index } = complaint
  const { listed } = evidence
  if (!listed) return culprit(accuser, "false-complaint")
  const { sharing } = listed
  const fits = [...helpers, member].every((one) => sharing.verifyingShares.has(one))
  if (!fits || sharing.group !== groups[index]) return worthless("no key of this run")
  const expected = expectedImage(disputed, sharing)
  if ("why" in expected) return worthless(expected.why)
  const scalar = payload.slice(index * SCALAR_LENGTH, (index + 1) * SCALAR_LENGTH)
  const right = isLogarithm(groupByName(sharing.group), expected.image, scalar)
  return right ? culprit(accuser, "false-complaint") : culprit(helper, "bad-dealing")
}

/**
 * Decides one complaint: the helper when what it signed is not what it owed, or when its answer does
 * not fit what it signed; the accuser when it was there. Never neither, once answered.
 */
export function verifyRepairComplaint(evidence: Evidence, verifyKeys: VerifyKeys): Verdict {
  const { run, about } = evidence
  const open = authenticOpening(repairRun(run), evidence.open, verifyKeys)
  if (!open.ok) return open.verdict
  const accuser = open.message.header.sender
  const found = authentic(repairRun(run), about, evidence.said, verifyKeys)
  if (!found.ok) return found.verdict
  const said = found.message
  const helper = said.header.sender
  const message = { ...evidence.said, sealed: new Map([[accuser, evidence.part]]) }
  if (!openMessage(message, verifyKeys, accuser).ok) {
    return worthless("not the part that was signed")
  }

  const step = about === "split" ? "sum" : "verdict"
  const complained = authentic(repairRun(run), step, evidence.complaint, verifyKeys)
  if (!complained.ok) return complained.verdict
  if (complained.message.header.sender !== accuser) return worthless("not the accuser's complaint")
  const complaint = complaintOf(evidence, complained.message, helper)
  if (!complaint) return worthless("no such complaint")
  if (!isAbout(complained.message, evidence.seen, said)) return worthless("about another message")
  if (!isListed(evidence, complaint.index)) return worthless("not the key in dispute")
  // Whether or not they decide: otherwise the same proof would have many forms.
  const splits = evidence.splits.size > 0 ? splitsOf(evidence, said, verifyKeys) : new Map()
  if (!splits) return worthless("not the splits that were summed")

  const answer = authentic(repairRun(run), "answer", evidence.answer, verifyKeys)
  if (!answer.ok) return answer.verdict
  if (answer.message.header.sender !== helper) return worthless("not the helper's answer")
  const answered = checkAnswer(answer.message)
  if (!answered.ok) return culprit(helper, answered.reason)
  const randomness = answered.payload.randomness.get(accuser)
  if (!randomness) return worthless("the complaint is not answered")

  const place = { slot: said.header, recipient: accuser }
  const reopened = reopenFirst(place, open.payload.sealingKey, randomness, evidence.part)
  if (reopened.kind === "other-randomness") return culprit(helper, "wrong-answer")
  if (reopened.kind === "does-not-open") return culprit(helper, "bad-dealing")
  const disputed = { evidence, helper, accuser, complaint, said, splits }
  return decide(disputed, reopened.payload)
}
