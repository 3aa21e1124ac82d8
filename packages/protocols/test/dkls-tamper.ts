import assert from "node:assert/strict"
import type { Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { framedCodec } from "../src/dkls/frame.ts"
import type { PresignStep } from "../src/dkls/index.ts"
import { type PresignRun, presignSession } from "../src/dkls/presign/params.ts"
import {
  type ExchangePayload,
  exchangePayloadCodec,
  type PublishPayload,
  publishPayloadCodec,
  type SaidPayload,
  saidPayloadCodec,
  sealedPayloadCodec,
} from "../src/dkls/presign/payloads.ts"
import { openPart, sealPart } from "../src/dkls/presign/sealing.ts"
import {
  type ExchangedSecret,
  exchangedSecretCodec,
  type PresignResult,
  type PresignTask,
  type PublishedSecret,
  presignResultCodec,
  presignTaskCodec,
  publishedSecretCodec,
} from "../src/dkls/presign/task.ts"
import type { Message } from "../src/index.ts"
import { digestsOf } from "../src/index.ts"
import { type Meddling, type PresignRunner, senderOf } from "./dkls-cluster.ts"
import { participant } from "./frost-fixture.ts"
import { rewrite } from "./messages-fixtures.ts"

/** What the dishonest one signs instead at a step. */
export function signsInstead(
  runner: PresignRunner,
  step: PresignStep,
  liar: Identifier,
  change: (message: Message) => Parameters<typeof rewrite>[2],
): Meddling {
  return {
    from: step,
    message(at, identifier, message) {
      if (at !== step || identifier !== liar) return message
      return rewrite(message, participant(runner.cluster, liar).identity, change(message))
    },
  }
}

/** What it says instead in its broadcast, with no parts unless it goes on. */
export function saysInstead(
  runner: PresignRunner,
  step: PresignStep,
  liar: Identifier,
  payload: SaidPayload,
): Meddling {
  const broadcast = encode(saidPayloadCodec, payload)
  return signsInstead(runner, step, liar, () => ({ broadcast, sealed: new Map() }))
}

/** Changes what its worker computed. */
export function computesInstead(
  step: PresignStep,
  liar: Identifier,
  change: (result: PresignResult) => PresignResult,
): Meddling {
  return {
    from: step,
    result(at, identifier, encoded) {
      if (at !== step || identifier !== liar) return encoded
      const { result, carried } = decode(presignResultCodec, encoded)
      return encode(presignResultCodec, { result: change(result), carried })
    },
  }
}

/** Changes what its worker starts from. */
export function startsFrom(
  step: PresignStep,
  liar: Identifier,
  change: (task: PresignTask) => PresignTask,
): Meddling {
  return {
    from: step,
    task(at, identifier, framed) {
      if (at !== step || identifier !== liar) return framed
      const { protocol, body } = decode(framedCodec, framed)
      const changed = encode(presignTaskCodec, change(decode(presignTaskCodec, body)))
      return encode(framedCodec, { protocol, body: changed })
    },
  }
}

/** It multiplied with other secrets than it says. */
export function keepsInstead(
  liar: Identifier,
  change: (secret: ExchangedSecret) => ExchangedSecret,
): Meddling {
  return startsFrom(3, liar, (task) => {
    const secret = change(decode(exchangedSecretCodec, task.secret))
    return { ...task, secret: encode(exchangedSecretCodec, secret) }
  })
}

function sessionAt(runner: PresignRunner): Bytes {
  const opens = new Map(runner.said[0]!.map((message) => [senderOf(message), message]))
  const run: PresignRun = { params: runner.params, openings: digestsOf(opens) }
  return presignSession(run)
}

/** What a signer seals to another with, from what it keeps after the step. */
function runSecretOf(step: 2 | 3, kept: Bytes, recipient: Identifier): Secret {
  const codec = step === 2 ? exchangedSecretCodec : publishedSecretCodec
  const { runSecrets } = decode<ExchangedSecret | PublishedSecret>(codec, kept)
  return runSecrets.get(recipient)!
}

/** Seals another payload, the same to everyone but for `differently`. */
export function seals(
  runner: PresignRunner,
  step: 2 | 3,
  sender: Identifier,
  change: (payload: Bytes, recipient: Identifier | null) => Bytes,
): Meddling {
  return computesInstead(step, sender, (result) => {
    assert.ok(result.kind === "sealed")
    const sessionId = sessionAt(runner)
    const parts = new Map<Identifier, Bytes>()
    for (const [recipient, part] of result.parts) {
      const place = { sessionId, step, sender, recipient }
      const secret = runSecretOf(step, result.secret, recipient)
      const sealed = decode(sealedPayloadCodec, openPart(secret, place, part)!)
      const payload = change(result.payload, recipient)
      const plaintext = encode(sealedPayloadCodec, { ...sealed, payload })
      parts.set(recipient, sealPart(secret, place, plaintext))
    }
    return { ...result, payload: change(result.payload, null), parts }
  })
}

/** Another multiplication message for one recipient, under a payload that stays. */
export function multipliesInstead(
  runner: PresignRunner,
  sender: Identifier,
  recipient: Identifier,
  change: (product: Bytes) => Bytes,
  step: 2 | 3 = 2,
): Meddling {
  return computesInstead(step, sender, (result) => {
    assert.ok(result.kind === "sealed")
    const place = { sessionId: sessionAt(runner), step, sender, recipient }
    const secret = runSecretOf(step, result.secret, recipient)
    const sealed = decode(
      sealedPayloadCodec,
      openPart(secret, place, result.parts.get(recipient)!)!,
    )
    const plaintext = encode(sealedPayloadCodec, { ...sealed, product: change(sealed.product) })
    const part = sealPart(secret, place, plaintext)
    return { ...result, parts: new Map([...result.parts, [recipient, part]]) }
  })
}

export function exchanges(
  runner: PresignRunner,
  sender: Identifier,
  change: (payload: ExchangePayload) => ExchangePayload,
): Meddling {
  return seals(runner, 2, sender, (payload) =>
    encode(exchangePayloadCodec, change(decode(exchangePayloadCodec, payload))),
  )
}

export function publishes(
  runner: PresignRunner,
  sender: Identifier,
  change: (payload: PublishPayload) => PublishPayload,
): Meddling {
  return seals(runner, 3, sender, (payload) =>
    encode(publishPayloadCodec, decode(publishPayloadCodec, payload).map(change)),
  )
}
