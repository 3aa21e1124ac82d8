import type { Group, Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, equalBytes } from "@lockkeeper/encoding"
import type { Message } from "@lockkeeper/protocols"
import type { StepPayloads } from "@lockkeeper/protocols/payloads"
import type { Attack, Case } from "../harness.ts"
import { type Mutant, mutantsOf, type Subject } from "../mutations.ts"
import { pooled } from "../pooled.ts"
import { attacked, messageOf, type Recorded, saidOf } from "./drive.ts"
import type { Meddling, Rounds } from "./rounds.ts"

/** A run to attack, and another one whose messages are brought into it. */
export interface Scene<Task> {
  readonly protocol: string
  readonly rounds: Rounds<Task>
  /** Of each key of the batch. */
  readonly groups: readonly Group[]
  readonly codecs: ReadonlyMap<string, StepPayloads>
  /** In their order, without what is only asked in a dispute. */
  readonly steps: readonly string[]
  readonly honest: Recorded<Task>
  readonly elsewhere: Recorded<Task>
  /** Whose messages are changed. */
  readonly sender: Identifier
  /** To whom its message of a step goes and who may be shown another one: at most two of them. */
  readonly victimsOf: (step: string) => readonly Identifier[]
}

/** The first step, in which everyone speaks. */
export function firstStep<Task>({ steps }: Scene<Task>): string {
  return steps[0] as string
}

/** Steps at which the sender speaks. */
export function spokenSteps<Task>({ steps, honest, sender }: Scene<Task>): readonly string[] {
  return steps.filter((step) => saidOf(honest, step, sender))
}

/** What follows a step: where the state that it left is. */
export function after<Task>({ steps }: Scene<Task>, step: string): string {
  return steps[steps.indexOf(step) + 1] ?? "end"
}

/** The sender's payload of a step, with where other values for its fields come from. */
export function subjectOf<Task>(
  scene: Scene<Task>,
  step: string,
  recorded: Recorded<Task> = scene.honest,
): Subject {
  const { codecs, elsewhere, sender, protocol, rounds } = scene
  const said = (from: Recorded<Task>, at: string, who: Identifier): Bytes | undefined =>
    saidOf(from, at, who)?.broadcast
  const other = rounds.participants.find((i) => i !== sender && saidOf(recorded, step, i))
  const participants = other === undefined ? undefined : said(recorded, step, other)
  const sessions = said(elsewhere, step, sender)
  const first = firstStep(scene)
  const earlier = step === first ? undefined : said(recorded, first, sender)
  return {
    name: `${protocol}/${step}/${sender}`,
    codec: codecs.get(step)?.broadcast as Codec<unknown>,
    encoded: messageOf(recorded, step, sender).broadcast,
    ...(participants && { participants }),
    ...(sessions && { sessions }),
    ...(earlier && { earlier }),
  }
}

/**
 * The mutants of something with elements or scalars of each key of the batch, in its order: those that
 * are of a group for the fields of that group's keys.
 */
export function mutantsIn(groups: readonly Group[], subject: Omit<Subject, "group">): Mutant[] {
  const distinct = [...new Set(groups)]
  return distinct.flatMap((group, nth) =>
    mutantsOf({ ...subject, group }).filter(({ field }) => {
      const index = /(?:^|\.)(\d+)(?:[.#]|$)/.exec(field)?.[1]
      return index === undefined ? nth === 0 : groups[Number(index)] === group
    }),
  )
}

export type Told = Omit<Case, "protocol" | "sender"> & { readonly sender?: Identifier }

/** An attack that begins at a step of a recorded run. */
export function attackAt<Task>(
  scene: Scene<Task>,
  told: Told,
  meddling: Meddling,
  recorded: Recorded<Task> = scene.honest,
): Attack {
  const { protocol, sender, rounds } = scene
  return { protocol, sender, ...told, run: () => attacked(rounds, recorded, told.step, meddling) }
}

/** The sender computes by other rounds, from a step on: all that it says and keeps fits its lie. */
export function computing<Task>(scene: Scene<Task>, told: Told, rounds: Rounds<Task>): Attack {
  const { sender, honest } = scene
  // Whatever comes of it: where it only spoils its own part, it says the same as ever at first.
  const answers = (_step: string, message: Message) => [{ ...message }]
  const unsaid = { ...honest, said: new Map() }
  return attackAt({ ...scene, rounds }, told, { dishonest: sender, answers }, unsaid)
}

/** The sender signs `lie` instead, for everyone. */
export function liesToAll<Task>(scene: Scene<Task>, step: string, lie: Message): Meddling {
  return {
    dishonest: scene.sender,
    answers: (at, message) => [at === step ? lie : message],
  }
}

/**
 * The sender signs `lie` for one recipient alone, with a coordinator that helps it. Neither sees
 * both messages in the run; they are compared after it.
 */
export function liesToOne<Task>(
  scene: Scene<Task>,
  told: Told & { readonly victim: Identifier },
  lie: Message,
): Attack {
  const { sender, rounds, honest } = scene
  const truth = messageOf(honest, told.step, sender)
  const meddling = { dishonest: sender, delivers: instead(truth, told.victim, [lie]) }
  const attack = attackAt(scene, told, meddling)
  return {
    ...attack,
    async run() {
      const verdicts = await attack.run()
      const named = verdicts.aborts.some(({ culprits }) => culprits.length > 0)
      return named
        ? verdicts
        : { ...verdicts, compared: pooled([truth.header, lie.header], rounds.verifyKeys) }
    },
  }
}

/** Of each message only the part that is the recipient's own reaches it. */
function cut(message: Message, recipient: Identifier): Message {
  const own = message.sealed.get(recipient)
  return { ...message, sealed: own ? new Map([[recipient, own]]) : new Map() }
}

function instead(truth: Message, victim: Identifier, messages: readonly Message[]) {
  return (recipient: Identifier, message: Message): readonly Message[] =>
    recipient === victim && equalBytes(message.header.bytes, truth.header.bytes)
      ? messages.map((one) => cut(one, victim))
      : [message]
}

/** Somebody between puts other messages in the place of the sender's, on their way in. */
export function inward<Task>(
  { sender }: Scene<Task>,
  step: string,
  messages: readonly Message[],
): Meddling {
  return {
    dishonest: null,
    collects: (at, from, message) => (at === step && from === sender ? messages : [message]),
  }
}

/** The same on the way out to one recipient. */
export function outward(
  truth: Message,
  victim: Identifier,
  messages: readonly Message[],
): Meddling {
  return { dishonest: null, delivers: instead(truth, victim, messages) }
}
