import type { Identifier } from "@lockkeeper/crypto"
import { identifierCodec, secp256k1 } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  decode,
  encode,
  equalBytes,
  numberMap,
  struct,
  u8,
} from "@lockkeeper/encoding"
import { presignParamsCodec } from "../dkls/codec.ts"
import { firstSlot } from "../dkls/first-step.ts"
import { MAX_SIGNERS } from "../dkls/limits.ts"
import {
  combinedNonces,
  exchangeForm,
  isForParams,
  judgeExchange,
  judgeOpen,
  judgePublish,
  judgeSaid,
  type PublishBasis,
  paramsNamedBy,
} from "../dkls/presign/checks.ts"
import {
  checkPresignParams,
  keyDigest,
  type PresignRun,
  presignRunCodec,
  presignSession,
  presignSlot,
} from "../dkls/presign/params.ts"
import {
  type ExchangePayload,
  openPayloadCodec,
  PAYLOAD_MAX,
  type PublishPayload,
  payloadDigest,
  saidPayloadCodec,
} from "../dkls/presign/payloads.ts"
import { isConfirmed, recordDigest, recordsOf } from "../dkls/presign/record.ts"
import type { PresignParams } from "../dkls/types.ts"
import type { Judged } from "../judged.ts"
import { type KeyCertificate, keyCertificateCodec } from "../keys.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { slotMismatch } from "../messages/header.ts"
import type { Received } from "../messages/message.ts"
import { openStatement, type Statement, statementCodec } from "../messages/statement.ts"
import { certifiedKey, type EarlierKeys } from "./certified.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** A statement with the payload whose digest it broadcasts. */
export interface ShownPayload {
  readonly statement: Statement
  readonly payload: Bytes
}

export const shownPayloadCodec: Codec<ShownPayload> = struct<ShownPayload>({
  statement: statementCodec,
  payload: bytes(PAYLOAD_MAX),
})

type ShownPayloads = ReadonlyMap<Identifier, ShownPayload>

const shownPayloadsCodec: Codec<ShownPayloads> = numberMap(
  identifierCodec,
  shownPayloadCodec,
  MAX_SIGNERS,
)

/** An opening that its own signer made wrong. */
export interface DklsOpenEvidence {
  readonly kind: "dkls-open"
  readonly params: PresignParams
  readonly open: Statement
}

export const dklsOpenCodec: Codec<Omit<DklsOpenEvidence, "kind">> = struct({
  params: presignParamsCodec,
  open: statementCodec,
})

/** A later message of no permitted form. */
export interface DklsSaidEvidence {
  readonly kind: "dkls-said"
  readonly run: PresignRun
  readonly step: 2 | 3 | 4
  readonly said: Statement
}

export const dklsSaidCodec: Codec<Omit<DklsSaidEvidence, "kind">> = struct({
  run: presignRunCodec,
  step: u8 as Codec<2 | 3 | 4>,
  said: statementCodec,
})

/** A payload of step 2 that is wrong by itself, by its sender's opening, or by its public share. */
export interface DklsExchangeEvidence {
  readonly kind: "dkls-exchange"
  readonly run: PresignRun
  readonly certificate: KeyCertificate
  readonly open: Statement
  readonly exchange: ShownPayload
}

export const dklsExchangeCodec: Codec<Omit<DklsExchangeEvidence, "kind">> = struct({
  run: presignRunCodec,
  certificate: keyCertificateCodec,
  open: statementCodec,
  exchange: shownPayloadCodec,
})

/** A payload of step 3 that is wrong by what all signers, its own among them, published before it. */
export interface DklsPublishEvidence {
  readonly kind: "dkls-publish"
  readonly run: PresignRun
  readonly exchanges: ShownPayloads
  readonly publish: ShownPayload
}

export const dklsPublishCodec: Codec<Omit<DklsPublishEvidence, "kind">> = struct({
  run: presignRunCodec,
  exchanges: shownPayloadsCodec,
  publish: shownPayloadCodec,
})

/** A confirmation of other presignatures than what its sender saw makes. */
export interface DklsConfirmEvidence {
  readonly kind: "dkls-confirm"
  readonly run: PresignRun
  readonly exchanges: ShownPayloads
  readonly publishes: ShownPayloads
  readonly confirm: Statement
}

export const dklsConfirmCodec: Codec<Omit<DklsConfirmEvidence, "kind">> = struct({
  run: presignRunCodec,
  exchanges: shownPayloadsCodec,
  publishes: shownPayloadsCodec,
  confirm: statementCodec,
})

type Authentic<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly why: string }

const refuse = (why: string): { readonly ok: false; readonly why: string } => ({ ok: false, why })

/** The opening, if a signer of these parameters signed it for them. */
function authenticOpen(
  params: PresignParams,
  open: Statement,
  verifyKeys: VerifyKeys,
): Authentic<{ readonly message: Received }> {
  const opened = openStatement(open, verifyKeys)
  if (!opened.ok) return refuse(opened.abort.reason)
  const { header } = opened.value
  const { sender, sessionId } = header
  const slot = firstSlot({ step: 1, rosterEpoch: params.rosterEpoch }, sessionId, sender)
  const mismatch = slotMismatch(header, slot)
  if (mismatch) return refuse(mismatch)
  if (!params.signers.includes(sender)) return refuse("not-a-signer")
  return { ok: true, message: opened.value }
}

/** The statement, if a signer of this run signed it for this step of it. */
export function authenticSaid(
  run: PresignRun,
  step: 2 | 3 | 4,
  said: Statement,
  verifyKeys: VerifyKeys,
): Authentic<{ readonly message: Received }> {
  const opened = openStatement(said, verifyKeys)
  if (!opened.ok) return refuse(opened.abort.reason)
  const { header } = opened.value
  const mismatch = slotMismatch(header, presignSlot(run.params, step, presignSession(run)))
  if (mismatch) return refuse(mismatch)
  if (!run.params.signers.includes(header.sender)) return refuse("not-a-signer")
  return { ok: true, message: opened.value }
}

/** The statement with its payload, if that is the payload whose digest was signed. */
function authenticShown(
  run: PresignRun,
  step: 2 | 3,
  { statement, payload }: ShownPayload,
  verifyKeys: VerifyKeys,
): Authentic<{ readonly message: Received }> {
  const said = authenticSaid(run, step, statement, verifyKeys)
  if (!said.ok) return said
  const judged = judgeSaid(run.params, step, said.message)
  if (!judged.ok) return refuse(judged.reason)
  const { sender } = said.message.header
  const digest = payloadDigest({ sessionId: presignSession(run), sender, payload })
  const isSigned = judged.payload.kind === "digest" && equalBytes(judged.payload.digest, digest)
  return isSigned ? said : refuse("the payload is not the one that was signed")
}

/** A well-formed payload of step 2 with who signed it. */
export function authenticExchange(
  run: PresignRun,
  shown: ShownPayload,
  verifyKeys: VerifyKeys,
): Authentic<{ readonly sender: Identifier; readonly payload: ExchangePayload }> {
  const found = authenticShown(run, 2, shown, verifyKeys)
  if (!found.ok) return found
  const { sender } = found.message.header
  const form = exchangeForm({ params: run.params, sender }, shown.payload)
  return form.ok ? { ok: true, sender, payload: form.payload } : refuse(form.reason)
}

function verdictOf(sender: Identifier, judged: Judged<unknown>): Verdict {
  return judged.ok ? worthless("nothing is wrong with it") : culprit(sender, judged.reason)
}

export function verifyDklsOpen(
  { params, open }: Omit<DklsOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticOpen(params, open, verifyKeys)
  if (!found.ok) return worthless(`open: ${found.why}`)
  if (!isForParams(params, open.broadcast)) return worthless("open: of another run")
  const { sender } = found.message.header
  const named = encode(presignParamsCodec, paramsNamedBy(params, sender, open.broadcast))
  if (!equalBytes(encode(presignParamsCodec, params), named)) {
    return worthless("open: it names no run, and the evidence one")
  }
  return verdictOf(sender, judgeOpen(params, found.message))
}

export function verifyDklsSaid(
  { run, step, said }: Omit<DklsSaidEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  if (![2, 3, 4].includes(step)) return worthless("no such step")
  const found = authenticSaid(run, step, said, verifyKeys)
  if (!found.ok) return worthless(`said: ${found.why}`)
  return verdictOf(found.message.header.sender, judgeSaid(run.params, step, found.message))
}

export function verifyDklsExchange(
  { run, certificate, open, exchange }: Omit<DklsExchangeEvidence, "kind">,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): Verdict {
  const { params } = run
  const certified = certifiedKey(certificate, verifyKeys, earlier)
  if (!certified.ok) return worthless(`certificate: ${certified.abort.reason}`)
  const key = certified.value
  const fit = checkPresignParams(params, key)
  if (!fit.ok) return worthless(`params: ${fit.abort.reason}`)
  const opening = authenticOpen(params, open, verifyKeys)
  if (!opening.ok) return worthless(`open: ${opening.why}`)
  const found = authenticShown(run, 2, exchange, verifyKeys)
  if (!found.ok) return worthless(`exchange: ${found.why}`)
  const { sender } = found.message.header
  if (opening.message.header.sender !== sender) return worthless("two different senders")
  const listed = run.openings.get(sender)
  if (!listed || !equalBytes(listed, opening.message.digest)) {
    return worthless("the opening is not of this session")
  }
  if (!judgeOpen(params, opening.message).ok) return worthless("the opening is faulty")
  const { commitment, key: opened } = decode(openPayloadCodec, open.broadcast)
  // The same id and epoch may have another certificate, of a generation that came to nothing.
  if (!equalBytes(opened, keyDigest(key))) return worthless("certificate: not what was opened for")
  return verdictOf(sender, judgeExchange({ params, key, sender, commitment }, exchange.payload))
}

interface Basis extends Omit<PublishBasis, "sender"> {
  /** What headers of step 3 echo. */
  readonly echo: Bytes
}

/** What every signer published at step 2, all of it well-formed. */
function basisOf(
  run: PresignRun,
  exchanges: ShownPayloads,
  verifyKeys: VerifyKeys,
): Authentic<{ readonly basis: Basis }> {
  const { params } = run
  const payloads = new Map<Identifier, ExchangePayload>()
  for (const [signer, shown] of exchanges) {
    const found = authenticExchange(run, shown, verifyKeys)
    if (!found.ok) return refuse(`exchanges: ${found.why}`)
    if (found.sender !== signer) return refuse("exchanges: under another signer")
    payloads.set(found.sender, found.payload)
  }
  const { signers, count } = params
  if (payloads.size !== signers.length) return refuse("exchanges: not one of each signer")
  const ordered = new Map([...payloads].sort(([a], [b]) => a - b))
  const group = secp256k1
  // pk is the sum of the pk_j: nobody honest goes on to step 3 when it is not the key.
  const verifyingKey = [...ordered.values()].reduce(
    (sum, { keyShare }) => group.add(sum, keyShare),
    group.identity,
  )
  const nonces = combinedNonces(count, ordered)
  if ([verifyingKey, ...nonces].some((element) => group.isIdentity(element))) {
    return refuse("exchanges: an identity, which nobody honest goes on from")
  }
  const statements = new Map([...exchanges].map(([id, { statement }]) => [id, statement]))
  const echo = echoDigest(digestsOf(statements))
  const sessionId = presignSession(run)
  return { ok: true, basis: { params, sessionId, verifyingKey, exchanges: ordered, nonces, echo } }
}

type Published = Authentic<{
  readonly sender: Identifier
  readonly judged: Judged<readonly PublishPayload[]>
}>

function judgeShownPublish(
  run: PresignRun,
  basis: Basis,
  publish: ShownPayload,
  verifyKeys: VerifyKeys,
): Published {
  const found = authenticShown(run, 3, publish, verifyKeys)
  if (!found.ok) return found
  const { sender, previousDigest } = found.message.header
  if (!equalBytes(previousDigest, basis.echo)) return refuse("its sender saw other exchanges")
  return { ok: true, sender, judged: judgePublish({ ...basis, sender }, publish.payload) }
}

export function verifyDklsPublish(
  { run, exchanges, publish }: Omit<DklsPublishEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = basisOf(run, exchanges, verifyKeys)
  if (!found.ok) return worthless(found.why)
  const published = judgeShownPublish(run, found.basis, publish, verifyKeys)
  if (!published.ok) return worthless(`publish: ${published.why}`)
  return verdictOf(published.sender, published.judged)
}

export function verifyDklsConfirm(
  { run, exchanges, publishes, confirm }: Omit<DklsConfirmEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = basisOf(run, exchanges, verifyKeys)
  if (!found.ok) return worthless(found.why)
  const { basis } = found
  const payloads = new Map<Identifier, readonly PublishPayload[]>()
  for (const [signer, publish] of publishes) {
    const published = judgeShownPublish(run, basis, publish, verifyKeys)
    if (!published.ok) return worthless(`publishes: ${published.why}`)
    if (!published.judged.ok) return worthless("publishes: one is faulty itself")
    if (published.sender !== signer) return worthless("publishes: under another signer")
    payloads.set(signer, published.judged.payload)
  }
  if (payloads.size !== run.params.signers.length) return worthless("publishes: not one of each")
  const said = authenticSaid(run, 4, confirm, verifyKeys)
  if (!said.ok) return worthless(`confirm: ${said.why}`)
  const { header, broadcast } = said.message
  const statements = new Map([...publishes].map(([id, { statement }]) => [id, statement]))
  if (!equalBytes(header.previousDigest, echoDigest(digestsOf(statements)))) {
    return worthless("confirm: its sender saw other payloads")
  }
  const judged = judgeSaid(run.params, 4, said.message)
  if (!judged.ok) return worthless(`confirm: ${judged.reason}`)
  const payload = decode(saidPayloadCodec, broadcast)
  if (payload.kind !== "confirm") return worthless("confirm: it confirms nothing")
  const { sessionId } = basis
  const confirmed = { sessionId, batch: recordsOf(basis, payloads).map(recordDigest) }
  const verifyKey = verifyKeys.get(header.sender)
  if (verifyKey && isConfirmed(verifyKey, confirmed, payload.signature)) {
    return worthless("the confirmation is right")
  }
  return culprit(header.sender, "wrong-confirmation")
}
