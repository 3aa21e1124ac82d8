import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import type { dkg, Message } from "@lockkeeper/protocols"
import type { Meddling } from "./run.ts"
import type { DkgScene } from "./scene.ts"

/** Somebody between puts other messages in the place of the sender's, on their way in. */
export function inward(scene: DkgScene, step: dkg.DkgStep, instead: readonly Message[]): Meddling {
  return {
    dishonest: null,
    collects: (at: dkg.DkgStep, from: Identifier, message: Message) =>
      at === step && from === scene.sender ? instead : [message],
  }
}

/** The same on the way out to one recipient, who gets of each only the part that is its own. */
export function outward(truth: Message, victim: Identifier, instead: readonly Message[]): Meddling {
  const cut = (message: Message): Message => {
    const own = message.sealed.get(victim)
    return { ...message, sealed: own ? new Map([[victim, own]]) : new Map() }
  }
  return {
    dishonest: null,
    delivers: (recipient: Identifier, message: Message) =>
      recipient === victim && equalBytes(message.header.bytes, truth.header.bytes)
        ? instead.map(cut)
        : [message],
  }
}
