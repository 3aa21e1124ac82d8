import { dkls, type Message } from "@lockkeeper/protocols"
import type { Attack, Case, Verdicts } from "../harness.ts"
import { combine, copied, orderFor } from "./online-driver.ts"
import { type OnlineScene, onlineAttack } from "./online-scene.ts"

/** What a coordinator or a signer makes of presignatures and shares of other orders. */
export function* reuseAttacks(scene: OnlineScene): Generator<Attack> {
  const { liar, victim, elsewhere, protocol } = scene
  const foreign = elsewhere.shares.get(liar)!
  const told = { step: "reuse", field: "message", mutation: "another session's message" } as const
  yield onlineAttack(scene, { ...told, by: "sender" }, { liar, share: () => foreign })
  yield onlineAttack(
    scene,
    { ...told, by: "relay" },
    {
      liar: null,
      relay: (sender, said) => (sender === liar ? foreign : said),
    },
  )
  yield onlineAttack(
    scene,
    { ...told, mutation: "missing", by: "sender" },
    {
      liar,
      share: () => null,
    },
  )
  yield onlineAttack(
    scene,
    { ...told, mutation: "another participant's message", by: "relay" },
    {
      liar: null,
      relay: (sender, said) => (sender === liar ? scene.honest.shares.get(victim)! : said),
    },
  )
  const about: Case = {
    ...{ protocol, step: "reuse", field: "presignature", by: "coordinator" },
    ...{ mutation: "used twice", sender: liar, victim },
  }
  yield { ...about, run: () => usedTwice(scene) }
  for (const [mutation, which] of [
    ["another order's", "others"],
    ["for another order", "presignatures"],
  ] as const) {
    yield { ...about, mutation, run: () => crossed(scene, which) }
  }
  yield { ...about, field: "certificate", mutation: "another session's", run: () => judged(scene) }
}

function verdicts({ parties }: OnlineScene, rest: Partial<Verdicts>): Verdicts {
  const { verifyKeys } = parties
  return { verifyKeys, aborts: [], finished: false, accepted: [], ...rest }
}

/** One signer is asked to sign two orders with one presignature, one after the other. */
function usedTwice(scene: OnlineScene): Verdicts {
  const { parties, presignatures, victim } = scene
  const held = copied(presignatures.get(victim)!)
  const sign = (seed: string): Message | null => {
    const { verifyKeys, identities, public: key } = parties
    const signer = { signer: identities.get(victim)!, verifyKeys }
    const order = orderFor(parties, held, { seed })
    const made = dkls.ecdsaSign(held, order, { public: key, identifier: victim, identity: signer })
    return made.ok ? made.value : null
  }
  const first = sign("first order")
  let second: Message | null = null
  try {
    second = sign("second order")
  } catch {
    // It was wiped when it was used.
  }
  const accepted = second ? ["a presignature that was used before"] : []
  return verdicts(scene, { finished: first !== null, accepted })
}

/** A signer is asked to sign with one presignature an order that names another. */
function crossed(scene: OnlineScene, which: "others" | "presignatures"): Verdicts {
  const { parties, presignatures, others, victim } = scene
  const [used, named] = which === "others" ? [others, presignatures] : [presignatures, others]
  const order = orderFor(parties, named.get(victim)!)
  const { verifyKeys, identities, public: key } = parties
  const identity = { signer: identities.get(victim)!, verifyKeys }
  const held = copied(used.get(victim)!)
  const made = dkls.ecdsaSign(held, order, { public: key, identifier: victim, identity })
  if (made.ok) return verdicts(scene, { accepted: ["an order for another presignature"] })
  return verdicts(scene, { aborts: [made.abort] })
}

/** Good shares, judged by what was confirmed of another presignature. */
function judged(scene: OnlineScene): Verdicts {
  const { parties, others, victim, honest } = scene
  const combined = combine(parties, others.get(victim)!, honest.order, honest.shares)
  if (combined.ok) return verdicts(scene, { accepted: ["shares of another presignature"] })
  return verdicts(scene, { aborts: [combined.abort] })
}
