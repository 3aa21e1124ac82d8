import type { Identifier, SigningKey } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { dkls, Message } from "@lockkeeper/protocols"
import type { Ended, Verdicts } from "../harness.ts"
import { identityOf } from "../seeded.ts"
import { dealtParties, type Parties } from "./parties.ts"
import { PresignDriver, type PresignLie } from "./presign-driver.ts"
import { presignVerdicts } from "./presign-end.ts"
import { SetupDriver, type SetupEnd } from "./setup-driver.ts"

export type SetupSaidStep = 1 | 2 | 3
export const SETUP_SAID_STEPS: readonly SetupSaidStep[] = [1, 2, 3]

export interface SetupSceneOptions {
  readonly participants: readonly Identifier[]
  readonly liar: Identifier
  /** Only what everyone is told, and whole parts: what more than two participants make different. */
  readonly brief?: boolean
}

/** An honest run of setup that is recorded, and others beside it from which values are taken. */
export interface SetupScene {
  readonly options: SetupSceneOptions
  readonly parties: Parties
  readonly liar: Identifier
  readonly identity: SigningKey
  readonly honest: readonly Identifier[]
  readonly recorded: SetupDriver
  /** The same run asked for once more. */
  readonly again: SetupDriver
  computed(driver: SetupDriver, step: dkls.SetupStep, identifier: Identifier): SetupComputed
}

/** What one participant computed at a step of an honest run. */
export interface SetupComputed {
  readonly task: Bytes
  readonly result: Bytes
}

function ran(driver: SetupDriver): SetupDriver {
  const { aborts, pairs } = driver.finish()
  if (aborts.size > 0 || pairs.size !== driver.params.participants.length) {
    throw new Error("an honest run of setup did not end")
  }
  return driver
}

export function setupScene(options: SetupSceneOptions): SetupScene {
  const { participants, liar } = options
  const parties = dealtParties({ minSigners: 2, servers: participants.length })
  const known = new Map<string, SetupComputed>()
  return {
    ...{ options, parties, liar, identity: identityOf(liar) },
    honest: participants.filter((identifier) => identifier !== liar),
    recorded: ran(new SetupDriver(parties, { participants, seed: "recorded" })),
    again: ran(new SetupDriver(parties, { participants, seed: "again" })),
    computed(driver, step, identifier) {
      const name = `${driver.options.seed}/${step}/${identifier}`
      const found = known.get(name) ?? captured(driver, step, identifier)
      known.set(name, found)
      return found
    },
  }
}

function captured(driver: SetupDriver, step: dkls.SetupStep, liar: Identifier): SetupComputed {
  const kept: { task: Bytes; result: Bytes } = { task: new Uint8Array(), result: new Uint8Array() }
  const keep = (name: "task" | "result") => (_: unknown, bytes: Bytes) => {
    kept[name] = bytes.slice()
    return bytes
  }
  driver.before(step).round(step, { liar, from: step, task: keep("task"), result: keep("result") })
  return kept
}

export function setupMessageOf(
  driver: SetupDriver,
  step: SetupSaidStep,
  sender: Identifier,
): Message {
  const message = driver.said[step - 1]?.get(sender)
  if (!message) throw new Error(`participant ${sender} said nothing at step ${step}`)
  return message
}

/** The dishonest one does nothing else than before; what it makes up may still not hold. */
function asItIs(liar: Identifier): PresignLie {
  return { liar, from: 1 }
}

/**
 * What became of a run. A setup shows only when it is used: two presign with every pair that an honest
 * end holds, and whatever is wrong with it then names the two.
 */
export function setupVerdicts(
  parties: Parties,
  participants: readonly Identifier[],
  honest: readonly Identifier[],
  end: SetupEnd,
): Verdicts {
  const { verifyKeys } = parties
  const aborts: Ended[] = [...end.aborts.values()]
  const accepted: string[] = []
  const ended = honest.filter((identifier) => end.pairs.has(identifier))
  let finished = ended.length === honest.length
  for (const [a, b] of pairsOf(participants)) {
    const [one, other] = [end.pairs.get(a)?.get(b), end.pairs.get(b)?.get(a)]
    const isHonest = [a, b].every((identifier) => honest.includes(identifier))
    const liar = honest.includes(a) ? b : a
    if (!finished || !one || !other) {
      if (finished && isHonest && (one || other)) accepted.push(`half a pair of ${a} and ${b}`)
      continue
    }
    const driver = new PresignDriver(parties, { signers: [a, b], pairs: end.pairs })
    const run = driver.finish(isHonest ? null : asItIs(liar))
    const signers = [a, b].filter((identifier) => honest.includes(identifier))
    const used = presignVerdicts(parties, signers, [a, b], run)
    aborts.push(...used.aborts)
    accepted.push(...used.accepted)
    if (isHonest && !used.finished) accepted.push(`a pair of ${a} and ${b} that does not sign`)
    finished &&= used.finished
  }
  return { verifyKeys, aborts, finished, accepted }
}

function pairsOf(participants: readonly Identifier[]): (readonly [Identifier, Identifier])[] {
  return participants.flatMap((a) => participants.filter((b) => b > a).map((b) => [a, b] as const))
}
