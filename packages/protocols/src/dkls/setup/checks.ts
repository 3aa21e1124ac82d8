import { type Element, type Identifier, identifierCodec, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  equalBytes,
  fixedBytes,
  numberMap,
  struct,
  union,
} from "@lockkeeper/encoding"
import { hasKeys, hasParts, type Judged, judgeForm, right, wrong } from "../../judged.ts"
import { NO_PREVIOUS } from "../../messages/header.ts"
import { LIMITS } from "../../messages/limits.ts"
import type { Received } from "../../messages/message.ts"
import { point } from "../codec.ts"
import {
  BASE_OT_RECEIVER_MESSAGE_LENGTH,
  BASE_OT_SENDER_MESSAGE_LENGTH,
  baseOtReceive,
  baseOtSend,
  receiverSeeds,
  senderSeeds,
} from "../ot/index.ts"
import { othersThan } from "../presign/params.ts"
import type { PairStatus, SetupParams } from "../types.ts"
import { baseOtContext, type Pair, setupOutcome, setupParamsDigest } from "./params.ts"

/** Step 1, to all. The nonce is the session of the message. */
export interface SetupOpenPayload {
  /** Digest of the run's parameters. */
  readonly params: Bytes
  /** How the sender stands to each other participant. */
  readonly statuses: ReadonlyMap<Identifier, PairStatus>
  /** One-session Diffie-Hellman key, for what each pair shares. */
  readonly ephemeral: Element
}

export const setupOpenCodec: Codec<SetupOpenPayload> = struct<SetupOpenPayload>({
  params: fixedBytes(32),
  statuses: numberMap(
    identifierCodec,
    union<PairStatus>({
      none: struct({}),
      live: struct({ setupDigest: fixedBytes(32) }),
      dead: struct({}),
    }),
    LIMITS.participants,
  ),
  ephemeral: point,
})

/** Step 2, to one participant: both directions' base transfers. Not secret. */
export interface BaseOtMessages {
  /** Of the sender as the receiver of transfers. */
  readonly receiver: Bytes
  /** Of the sender as the sender of transfers. */
  readonly sender: Bytes
}

export const baseOtMessagesCodec: Codec<BaseOtMessages> = struct<BaseOtMessages>({
  receiver: fixedBytes(BASE_OT_RECEIVER_MESSAGE_LENGTH),
  sender: fixedBytes(BASE_OT_SENDER_MESSAGE_LENGTH),
})

/** Step 3, to all: `setupOutcome`. */
export const setupConfirmCodec = struct<{ readonly outcome: Bytes }>({ outcome: fixedBytes(32) })

export function isForSetup(params: SetupParams, broadcast: Bytes): boolean {
  const form = judgeForm(setupOpenCodec, broadcast)
  return !form.ok || equalBytes(form.payload.params, setupParamsDigest(params))
}

/**
 * The parameters that evidence about an opening holds: those that it names, and of one that names none,
 * since it is no payload, nothing that anybody could exchange.
 */
export function setupNamedBy(
  params: SetupParams,
  sender: Identifier,
  broadcast: Bytes,
): SetupParams {
  if (judgeForm(setupOpenCodec, broadcast).ok) return params
  const { rosterEpoch } = params
  return { setupId: new Uint8Array(32), rosterEpoch, participants: [sender] }
}

export function judgeSetupOpen(params: SetupParams, message: Received): Judged<SetupOpenPayload> {
  const form = judgeForm(setupOpenCodec, message.broadcast)
  if (!form.ok) return form
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  if (!equalBytes(message.header.previousDigest, NO_PREVIOUS)) {
    return wrong("malformed-payload", "previousDigest")
  }
  const others = othersThan(params.participants, message.header.sender)
  return hasKeys(form.payload.statuses, others) ? form : wrong("malformed-payload", "statuses")
}

type Opens = ReadonlyMap<Identifier, SetupOpenPayload>

/**
 * The pairs that a session sets up: those that neither end calls dead, and that do not both call live
 * under one digest already.
 */
export function pairsToSetUp({ participants }: SetupParams, opens: Opens): Pair[] {
  const pairs: Pair[] = []
  for (const low of participants) {
    for (const high of participants) {
      if (high <= low) continue
      const a = opens.get(low)!.statuses.get(high)!
      const b = opens.get(high)!.statuses.get(low)!
      if (a.kind === "dead" || b.kind === "dead") continue
      const isSame =
        a.kind === "live" && b.kind === "live" && equalBytes(a.setupDigest, b.setupDigest)
      if (!isSame) pairs.push({ low, high })
    }
  }
  return pairs
}

/** Whom a participant sets up a pair with. */
export function peersIn(pairs: readonly Pair[], identifier: Identifier): Identifier[] {
  return pairs
    .filter(({ low, high }) => low === identifier || high === identifier)
    .map(({ low, high }) => (low === identifier ? high : low))
}

/** Step 2: for whom there are parts. What is in them is judged by `judgeBaseOt`. */
export function judgeSetupExchange(
  params: SetupParams,
  opens: Opens,
  message: Received,
): Judged<null> {
  if (message.broadcast.length > 0) return wrong("malformed-payload", "")
  const peers = peersIn(pairsToSetUp(params, opens), message.header.sender)
  return hasParts(message.header, peers) ? right(null) : wrong("wrong-recipients", "parts")
}

const ANY_RANDOMNESS = new Uint8Array(32)

function decodes(compute: () => unknown): boolean {
  try {
    compute()
    return true
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return false
  }
}

/** Whether a part holds points where an honest recipient could not go on without. */
export function judgeBaseOt(
  sessionId: Bytes,
  sender: Identifier,
  recipient: Identifier,
  part: Bytes,
): Judged<BaseOtMessages> {
  const form = judgeForm(baseOtMessagesCodec, part)
  if (!form.ok) return wrong("malformed-payload", `sealed.${recipient}.${form.field}`)
  const { payload } = form
  // What a recipient does with them throws on the same messages whatever its secrets are.
  const received = baseOtContext({ sessionId, sender: recipient, receiver: sender })
  const stateOfSender = baseOtSend(received, ANY_RANDOMNESS).state
  if (!decodes(() => senderSeeds(received, stateOfSender, payload.receiver))) {
    return wrong("malformed-payload", `sealed.${recipient}.receiver`)
  }
  const sent = baseOtContext({ sessionId, sender, receiver: recipient })
  const stateOfReceiver = baseOtReceive(sent, new Secret(new Uint8Array(16)), ANY_RANDOMNESS).state
  if (!decodes(() => receiverSeeds(sent, stateOfReceiver, payload.sender))) {
    return wrong("malformed-payload", `sealed.${recipient}.sender`)
  }
  return form
}

export function judgeSetupConfirm(
  params: SetupParams,
  opens: Opens,
  message: Received,
): Judged<null> {
  if (!hasParts(message.header, [])) return wrong("wrong-recipients", "parts")
  const form = judgeForm(setupConfirmCodec, message.broadcast)
  if (!form.ok) return form
  const outcome = setupOutcome(message.header.sessionId, pairsToSetUp(params, opens))
  return equalBytes(form.payload.outcome, outcome)
    ? right(null)
    : wrong("wrong-confirmation", "outcome")
}
