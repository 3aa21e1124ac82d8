import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import type { dkls, Message } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { seeded } from "../seeded.ts"
import { isFrom } from "./presign-lies.ts"
import { SetupDriver, type SetupLie, type Statuses } from "./setup-driver.ts"
import type { SetupChange } from "./setup-lies.ts"
import {
  SETUP_SAID_STEPS,
  type SetupSaidStep,
  type SetupScene,
  setupMessageOf,
  setupVerdicts,
} from "./setup-scene.ts"

/** On the way to everyone, other messages in the place of the liar's. */
function delivers(
  { recorded, liar }: SetupScene,
  step: SetupSaidStep,
  by: SetupChange["by"],
  instead: readonly Message[],
): SetupLie {
  const whole = setupMessageOf(recorded, step, liar)
  const next = (step + 1) as dkls.SetupStep
  const cut = (message: Message, recipient: Identifier): Message => {
    const own = message.sealed.get(recipient)
    return { ...message, sealed: new Map(own ? [[recipient, own]] : []) }
  }
  return {
    ...{ liar: by === "sender" ? liar : null, from: next },
    deliver: (at, recipient, messages) =>
      at === next
        ? messages.flatMap((said) =>
            isFrom(said, whole) ? instead.map((message) => cut(message, recipient)) : [said],
          )
        : messages,
  }
}

/** Messages of other runs, steps and participants, none, and two for one place. */
export function* setupMessages(scene: SetupScene, step: SetupSaidStep): Generator<SetupChange> {
  const { recorded, again, liar, honest, identity } = scene
  const truth = setupMessageOf(recorded, step, liar)
  const found: [string, Message][] = [
    ["an earlier try's message", setupMessageOf(again, step, liar)],
    ["another participant's message", setupMessageOf(recorded, step, honest[0]!)],
  ]
  for (const other of SETUP_SAID_STEPS) {
    if (other === step) continue
    found.push([`the message of step ${other}`, setupMessageOf(recorded, other, liar)])
  }
  const told = { field: "message", victim: "all" } as const
  for (const [mutation, message] of found) {
    const lie: SetupLie = {
      ...{ liar, from: step },
      message: (at, said) => (at === step ? message : said),
    }
    yield { ...told, mutation, by: "sender", lie }
    yield { ...told, mutation, by: "relay", lie: delivers(scene, step, "relay", [message]) }
  }
  const dropped = delivers(scene, step, "relay", [])
  yield { ...told, mutation: "missing", by: "relay", lie: dropped }
  const twice = delivers(scene, step, "relay", [truth, truth])
  yield { ...told, mutation: "duplicated", by: "relay", lie: twice }
  const { broadcast, sealed } = setupMessageOf(again, step, liar)
  const other = signedAgain(truth, identity, { broadcast, sealed })
  if (step === 3) return
  const both = delivers(scene, step, "sender", [truth, other])
  yield { ...told, mutation: "equivocation", by: "sender", lie: both }
}

const { broadcast: openCodec } = dklsInside.setupStepCodecs[0]!

const digest = seeded("a setup of before")
const LIVE: dkls.PairStatus = { kind: "live", setupDigest: digest }
const NEWER: dkls.PairStatus = { kind: "live", setupDigest: seeded("a newer setup") }
const NONE: dkls.PairStatus = { kind: "none" }
const DEAD: dkls.PairStatus = { kind: "dead" }

/** How the honest end stands to the liar, what the liar says, and whether a pair may be set up. */
const CLAIMS = [
  ["says that a dead pair is none", DEAD, NONE, false],
  ["says that a dead pair lives", DEAD, LIVE, false],
  ["says that a pair is dead", NONE, DEAD, false],
  ["says that a live pair is dead", LIVE, DEAD, false],
  ["says the same of a live pair", LIVE, LIVE, false],
  ["says that a live pair is another", LIVE, NEWER, true],
  ["says that a live pair is none", LIVE, NONE, true],
  ["says that no pair is one", NONE, LIVE, true],
] as const

/** What the liar says of pairs: whatever it is, no honest end sets up a pair that it calls dead. */
export function* statusAttacks(protocol: string, scene: SetupScene): Generator<Attack> {
  const { parties, options, liar, honest, identity } = scene
  const [victim] = honest as readonly [Identifier]
  const { participants } = options
  for (const [mutation, stands, says, isSetUp] of CLAIMS) {
    const statuses: Statuses = new Map([[victim, new Map([[liar, stands]])]])
    const lie: SetupLie = {
      ...{ liar, from: 1 },
      message(step, message) {
        if (step !== 1) return message
        const open = decode(openCodec, message.broadcast) as { statuses: Map<Identifier, unknown> }
        const claimed = new Map(open.statuses).set(victim, says)
        const broadcast = encode(openCodec, { ...open, statuses: claimed })
        return signedAgain(message, identity, { broadcast })
      },
    }
    const about = { protocol, step: "open", field: "statuses", mutation, by: "sender" } as const
    yield {
      ...{ ...about, sender: liar, victim },
      run() {
        const end = new SetupDriver(parties, { participants, statuses }).finish(lie)
        const verdicts = setupVerdicts(parties, participants, honest, end)
        const has = end.pairs.get(victim)?.has(liar) ?? false
        if (has === isSetUp) return verdicts
        return { ...verdicts, accepted: [`a pair that is ${has ? "" : "not "}set up`] }
      },
    }
  }
}
