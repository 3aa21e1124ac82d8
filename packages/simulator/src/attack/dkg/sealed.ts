import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes, Codec } from "@lockkeeper/encoding"
import { decode } from "@lockkeeper/encoding"
import {
  dkg,
  headerCodec,
  type Message,
  openFirst,
  type SealedPlace,
  sealFirst,
} from "@lockkeeper/protocols"
import { sealedPartCodec } from "@lockkeeper/protocols/payloads"
import { signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { mutantsOf, type Subject } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { messageOf, type Recorded } from "./run.ts"
import { attackAt, type DkgScene, liesToAll, serversBeside } from "./scene.ts"

/** Everything a dealer can seal to one recipient instead of its share, and sign. */
export function* sealedAttacks(scene: DkgScene): Iterable<Attack> {
  const { honest, sender, codecs, group, elsewhere, protocol } = scene
  const message = messageOf(honest, "reveal", sender)
  const [first, second] = serversBeside(scene) as [Identifier, Identifier]
  for (const victim of serversBeside(scene)) {
    const told = { step: "reveal" as const, by: "sender" as const, victim }
    const sendTo = (part: Bytes): Attack["run"] => {
      const sealed = new Map(message.sealed).set(victim, part)
      const lie = signedAgain(message, identityOf(sender), { sealed })
      return attackAt(scene, { ...told, field: "", mutation: "" }, liesToAll(scene, "reveal", lie))
        .run
    }
    const share: Subject = {
      name: `${protocol}/share/${victim}`,
      codec: codecs.get("reveal")?.sealed as Codec<unknown>,
      encoded: shareOf(scene, honest, victim),
      group,
      participants: shareOf(scene, honest, victim === first ? second : first),
      sessions: shareOf(scene, elsewhere, victim),
      earlier: messageOf(honest, "open", sender).broadcast,
    }
    for (const { field, mutation, encoded } of mutantsOf(share)) {
      const run = sendTo(resealed(scene, victim, encoded))
      yield { ...told, protocol, sender, field: `share${field}`, mutation, run }
    }
    const part: Subject = {
      name: `${protocol}/part/${victim}`,
      codec: sealedPartCodec,
      encoded: message.sealed.get(victim) as Bytes,
      participants: message.sealed.get(victim === first ? second : first) as Bytes,
      sessions: messageOf(elsewhere, "reveal", sender).sealed.get(victim) as Bytes,
    }
    for (const { field, mutation, encoded } of mutantsOf(part)) {
      yield { ...told, protocol, sender, field: `sealed.${field}`, mutation, run: sendTo(encoded) }
    }
    const without = new Map(message.sealed)
    without.delete(victim)
    const lie = signedAgain(message, identityOf(sender), { sealed: without })
    const missing = { ...told, field: "sealed", mutation: "missing" }
    yield attackAt(scene, missing, liesToAll(scene, "reveal", lie))
  }
  const sealed = new Map(message.sealed).set(77, new Uint8Array(40))
  const extra = signedAgain(message, identityOf(sender), { sealed })
  const told = { step: "reveal" as const, by: "sender" as const, victim: "all" as const }
  const attack = { ...told, field: "sealed", mutation: "duplicated" }
  yield attackAt(scene, attack, liesToAll(scene, "reveal", extra))
}

function placeOf(message: Message, recipient: Identifier): SealedPlace {
  return { slot: decode(headerCodec, message.header.bytes), recipient }
}

/** The share as its recipient opens it. */
function shareOf({ sender }: DkgScene, recorded: Recorded, recipient: Identifier): Bytes {
  const message = messageOf(recorded, "reveal", sender)
  const { stored } = recorded.checkpoints.get("reveal")!
  const { sealingSeed } = decode(dkg.dkgOpenedCodec, stored.get(recipient) as Bytes)
  const part = message.sealed.get(recipient) as Bytes
  return openFirst(placeOf(message, recipient), sealingSeed, part)!.payload
}

/** Seals other bytes with the dealer's own randomness, which it reveals when accused. */
export function resealed(scene: DkgScene, recipient: Identifier, payload: Bytes): Bytes {
  const { honest, sender, codecs } = scene
  const message = messageOf(honest, "reveal", sender)
  const { stored } = honest.checkpoints.get("verdict")!
  const state = decode(dkg.dkgRevealedCodec, stored.get(sender) as Bytes)
  const open = state.opens.get(recipient)!.broadcast
  const { sealingKey } = decode(codecs.get("open")!.broadcast as Codec<{ sealingKey: Bytes }>, open)
  const randomness = state.randomness.get(recipient)!.expose()
  return sealFirst(placeOf(message, recipient), sealingKey, randomness, payload).part
}
