import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  encode,
  equalBytes,
  numberMap,
  struct,
  u16,
} from "@lockkeeper/encoding"
import { setupParamsCodec } from "../dkls/codec.ts"
import { firstSlot } from "../dkls/first-step.ts"
import {
  isForSetup,
  judgeBaseOt,
  judgeSetupConfirm,
  judgeSetupExchange,
  judgeSetupOpen,
  setupNamedBy,
} from "../dkls/setup/checks.ts"
import { openPayloads, sessionOf } from "../dkls/setup/collect.ts"
import { headerStep, setupSlot } from "../dkls/setup/params.ts"
import { SETUP_PART_MAX } from "../dkls/setup/task.ts"
import type { SetupParams } from "../dkls/types.ts"
import { signedHeaderCodec, slotMismatch } from "../messages/header.ts"
import { LIMITS } from "../messages/limits.ts"
import { type Message, openMessage, type Received } from "../messages/message.ts"
import {
  openStatement,
  type Statement,
  statementCodec,
  statementsCodec,
} from "../messages/statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

type Statements = ReadonlyMap<Identifier, Statement>

/** An opening of a setup that its own signer made wrong. */
export interface DklsSetupOpenEvidence {
  readonly kind: "dkls-setup-open"
  readonly params: SetupParams
  readonly open: Statement
}

export const dklsSetupOpenCodec: Codec<Omit<DklsSetupOpenEvidence, "kind">> = struct({
  params: setupParamsCodec,
  open: statementCodec,
})

/** An exchange with parts for others than the openings say, or with the part that is not points. */
export interface DklsSetupExchangeEvidence {
  readonly kind: "dkls-setup-exchange"
  readonly params: SetupParams
  readonly opens: Statements
  /** With no part, or with the one that is wrong. */
  readonly message: Message
}

const cutMessageCodec: Codec<Message> = struct<Message>({
  header: signedHeaderCodec,
  broadcast: bytes(LIMITS.broadcast),
  sealed: numberMap(u16, bytes(SETUP_PART_MAX), 1),
})

export const dklsSetupExchangeCodec: Codec<Omit<DklsSetupExchangeEvidence, "kind">> = struct({
  params: setupParamsCodec,
  opens: statementsCodec,
  message: cutMessageCodec,
})

/** A confirmation of other pairs than the openings say. */
export interface DklsSetupConfirmEvidence {
  readonly kind: "dkls-setup-confirm"
  readonly params: SetupParams
  readonly opens: Statements
  readonly confirm: Statement
}

export const dklsSetupConfirmCodec: Codec<Omit<DklsSetupConfirmEvidence, "kind">> = struct({
  params: setupParamsCodec,
  opens: statementsCodec,
  confirm: statementCodec,
})

type Found =
  | { readonly ok: true; readonly message: Received }
  | { readonly ok: false; readonly why: string }

const refuse = (why: string): Found => ({ ok: false, why })

function authenticOpen(params: SetupParams, open: Statement, verifyKeys: VerifyKeys): Found {
  const opened = openStatement(open, verifyKeys)
  if (!opened.ok) return refuse(opened.abort.reason)
  const { header } = opened.value
  const { sender, sessionId } = header
  const first = { step: headerStep(1), rosterEpoch: params.rosterEpoch }
  const mismatch = slotMismatch(header, firstSlot(first, sessionId, sender))
  if (mismatch) return refuse(mismatch)
  if (!params.participants.includes(sender)) return refuse("not-a-participant")
  if (!isForSetup(params, open.broadcast)) return refuse("of another run")
  return { ok: true, message: opened.value }
}

/** Why these are not the faultless openings of all participants, or null. */
function wrongOpens(params: SetupParams, opens: Statements, verifyKeys: VerifyKeys): string | null {
  if (opens.size !== params.participants.length) return "not one of each participant"
  for (const [participant, open] of opens) {
    const found = authenticOpen(params, open, verifyKeys)
    if (!found.ok) return found.why
    if (found.message.header.sender !== participant) return "under another participant"
    if (!judgeSetupOpen(params, found.message).ok) return "one is faulty itself"
  }
  return null
}

function authenticMessage(
  params: SetupParams,
  opens: Statements,
  step: 2 | 3,
  message: Message,
  verifyKeys: VerifyKeys,
): Found {
  const problem = wrongOpens(params, opens, verifyKeys)
  if (problem) return refuse(`opens: ${problem}`)
  const opened = openMessage(message, verifyKeys, "some-parts")
  if (!opened.ok) return refuse(opened.abort.reason)
  const { header } = opened.value
  const mismatch = slotMismatch(header, setupSlot(params, step, sessionOf(params, opens)))
  if (mismatch) return refuse(mismatch)
  if (!params.participants.includes(header.sender)) return refuse("not-a-participant")
  return { ok: true, message: opened.value }
}

export function verifyDklsSetupOpen(
  { params, open }: Omit<DklsSetupOpenEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticOpen(params, open, verifyKeys)
  if (!found.ok) return worthless(`open: ${found.why}`)
  const { sender } = found.message.header
  const named = encode(setupParamsCodec, setupNamedBy(params, sender, open.broadcast))
  if (!equalBytes(encode(setupParamsCodec, params), named)) {
    return worthless("open: it names no run, and the evidence one")
  }
  const judged = judgeSetupOpen(params, found.message)
  if (judged.ok) return worthless("nothing is wrong with it")
  return culprit(sender, judged.reason)
}

export function verifyDklsSetupExchange(
  { params, opens, message }: Omit<DklsSetupExchangeEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authenticMessage(params, opens, 2, message, verifyKeys)
  if (!found.ok) return worthless(`exchange: ${found.why}`)
  const { sender, sessionId } = found.message.header
  const whole = judgeSetupExchange(params, openPayloads(opens), found.message)
  if (!whole.ok) return culprit(sender, whole.reason)
  for (const [recipient, part] of message.sealed as ReadonlyMap<Identifier, Bytes>) {
    const judged = judgeBaseOt(sessionId, sender, recipient, part)
    if (!judged.ok) return culprit(sender, judged.reason)
  }
  return worthless("nothing is wrong with it")
}

export function verifyDklsSetupConfirm(
  { params, opens, confirm }: Omit<DklsSetupConfirmEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const message = { ...confirm, sealed: new Map() }
  const found = authenticMessage(params, opens, 3, message, verifyKeys)
  if (!found.ok) return worthless(`confirm: ${found.why}`)
  const judged = judgeSetupConfirm(params, openPayloads(opens), found.message)
  if (judged.ok) return worthless("nothing is wrong with it")
  return culprit(found.message.header.sender, judged.reason)
}
