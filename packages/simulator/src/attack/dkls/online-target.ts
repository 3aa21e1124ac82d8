import { decode, encode } from "@lockkeeper/encoding"
import { dkls, type Message } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack, Target, Verdicts } from "../harness.ts"
import { mutantsOf, type Subject } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { problemOf } from "./expected.ts"
import { combine, type OnlineEnd, type OnlineLie, signOnline } from "./online-driver.ts"
import { ONLINE_HARMLESS, ONLINE_UNATTRIBUTABLE } from "./online-kinds.ts"
import { reuseAttacks } from "./online-reuse.ts"
import { type OnlineScene, onlineAttack, onlineScene, onlineVerdicts } from "./online-scene.ts"
import { GROUP, type SceneOptions } from "./presign-scene.ts"

const [nonceCodecs, shareCodecs] = dklsInside.onlineStepCodecs

/** Every field of what a signer says, rightly signed, and every byte of it under its signature. */
function* saidLies(scene: OnlineScene, step: "nonce" | "share"): Generator<Attack> {
  const { liar, victim, honest, elsewhere, options } = scene
  const at = options.signers.indexOf(liar)
  const own = (end: OnlineEnd) => (step === "nonce" ? end.order.nonces[at]! : end.shares.get(liar)!)
  const theirs =
    step === "nonce"
      ? honest.order.nonces[options.signers.indexOf(victim)]!
      : honest.shares.get(victim)!
  const [message, foreign] = [own(honest), own(elsewhere)]
  const from = (pick: (said: Message) => Subject["encoded"]) => ({
    ...{ name: `online/${step}`, encoded: pick(message), group: GROUP },
    ...{ participants: pick(theirs), sessions: pick(foreign) },
  })
  const lie = (said: Message): OnlineLie =>
    step === "nonce" ? { liar, nonce: () => said } : { liar, share: () => said }
  const signer = identityOf(liar)
  const headers = from(({ header }) => header.bytes)
  for (const forged of headersSignedAgain(message, signer, headers)) {
    const { field, mutation } = forged
    yield onlineAttack(scene, { step, field, mutation, by: "sender" }, lie(forged.message))
  }
  const { broadcast: codec } = (step === "nonce" ? nonceCodecs : shareCodecs)!
  const body = { ...from(({ broadcast }) => broadcast), codec }
  for (const { field, mutation, encoded } of mutantsOf(body)) {
    const told = { step, field: `broadcast.${field}`, mutation, by: "sender" } as const
    const said = signedAgain(message, signer, { broadcast: encoded })
    yield onlineAttack(scene, told, lie(said))
  }
  if (step === "share") yield* wrongShares(scene, message)
  for (const { field, mutation, message: said } of altered(message, body, headers)) {
    const relayed: OnlineLie =
      step === "nonce"
        ? {
            liar: null,
            order: (_, order) => ({
              ...order,
              nonces: order.nonces.map((nonce, i) => (i === at ? said : nonce)),
            }),
          }
        : { liar: null, relay: (sender, honest) => (sender === liar ? said : honest) }
    yield onlineAttack(scene, { step, field, mutation, by: "relay" }, relayed)
  }
}

/**
 * A wrong share under every other header: one for another order is no answer to this, and a relay that
 * alters what came with a share must not make its author look otherwise than it is.
 */
function* wrongShares(scene: OnlineScene, message: Message): Generator<Attack> {
  const { liar, elsewhere } = scene
  const signer = identityOf(liar)
  const foreign = elsewhere.shares.get(liar)!
  const wrong = signedAgain(message, signer, { broadcast: foreign.broadcast })
  const subject = { name: "online/wrong share", sessions: foreign.header.bytes, group: GROUP }
  for (const { field, mutation, message: said } of headersSignedAgain(wrong, signer, subject)) {
    const told = { step: "wrong share", field, mutation, by: "sender" } as const
    yield onlineAttack(scene, told, { liar, share: () => said })
  }
  for (const { field, mutation, message: said } of altered(message, null, subject)) {
    const changed = { ...said, broadcast: foreign.broadcast }
    const told = { step: "wrong share", field, mutation, by: "relay" } as const
    yield onlineAttack(scene, told, {
      liar: null,
      relay: (sender, honest) => (sender === liar ? changed : honest),
    })
  }
}

/** Every field of the order, as one signer is asked for it or all are. */
function* orderLies(scene: OnlineScene): Generator<Attack> {
  const { honest, elsewhere, victim } = scene
  const { order } = honest
  const encoded = encode(dklsInside.ecdsaOrderCodec, order)
  const sessions = encode(dklsInside.ecdsaOrderCodec, elsewhere.order)
  const codec = dklsInside.ecdsaOrderCodec
  const subject = { name: "order", codec, encoded, sessions, group: GROUP }
  for (const { field, mutation, encoded: changed } of mutantsOf(subject)) {
    // What is no order reaches no signer.
    if (!decodes(changed)) continue
    const other = decode(dklsInside.ecdsaOrderCodec, changed)
    for (const towards of [victim, "all"] as const) {
      const told = { step: "order", field: `order.${field}`, mutation, by: "coordinator" } as const
      const lie: OnlineLie = {
        liar: null,
        order: (recipient, order) => (towards === "all" || towards === recipient ? other : order),
      }
      const attack = onlineAttack(scene, { ...told, victim: towards }, lie)
      yield towards === "all" ? attack : { ...attack, run: () => splitVerdicts(scene, lie, other) }
    }
  }
}

/** Signers that were shown two orders: their shares are no signature for either. */
function splitVerdicts(scene: OnlineScene, lie: OnlineLie, other: dkls.EcdsaOrder): Verdicts {
  const { parties, presignatures, victim } = scene
  const end = signOnline(parties, presignatures, lie)
  const verdicts = onlineVerdicts(scene, end)
  const combined = combine(parties, presignatures.get(victim)!, other, end.shares)
  if (!combined.ok) return { ...verdicts, aborts: [...verdicts.aborts, combined.abort] }
  return { ...verdicts, accepted: ["a signature for an order that one signer alone was shown"] }
}

function decodes(changed: Subject["encoded"]): boolean {
  try {
    decode(dklsInside.ecdsaOrderCodec, changed)
    return true
  } catch {
    return false
  }
}

/** Every field of the presignature with which the liar computes its share. */
function* presignatureLies(scene: OnlineScene): Generator<Attack> {
  const { liar, victim, presignatures, others } = scene
  const codec = dkls.presignatureCodec
  const own = presignatures.get(liar)!
  const subject = {
    ...{ name: "presignature", codec, encoded: encode(codec, own), group: GROUP },
    participants: encode(codec, presignatures.get(victim)!),
    sessions: encode(codec, others.get(liar)!),
  }
  for (const { field, mutation, encoded } of mutantsOf(subject)) {
    const read = (): dkls.Presignature | null => {
      try {
        return decode(codec, encoded)
      } catch {
        return null
      }
    }
    if (!read()) continue
    const lie: OnlineLie = { liar, presignature: () => read()! }
    const told = { step: "share", field: `task.${field}`, mutation, by: "sender" } as const
    yield onlineAttack(scene, told, lie)
  }
}

/** Signing by one signer set, in which a signer, a relay or the coordinator lies in turn. */
export function onlineTarget(options: SceneOptions): Target {
  const { minSigners, servers, liar } = options
  return {
    protocol: `dkls-sign ${minSigners}/${servers} liar ${liar}`,
    steps: ["nonce", "order", "share", "wrong share", "reuse"],
    *attacks() {
      const scene = onlineScene(options)
      yield* saidLies(scene, "nonce")
      yield* orderLies(scene)
      yield* saidLies(scene, "share")
      yield* presignatureLies(scene)
      yield* reuseAttacks(scene)
    },
    harmless: ONLINE_HARMLESS,
    unattributable: ONLINE_UNATTRIBUTABLE,
    problemOf,
  }
}
