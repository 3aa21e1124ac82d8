import { type Identifier, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  list,
  nullable,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import {
  type Message,
  type Outcome,
  repair,
  type Statement,
  secretCodec,
  sharing,
} from "@lockkeeper/protocols"
import { decodedOrNull } from "../rounds/decoded.ts"
import type { Asked, Ending, Given, Response, Rounds, Stepped } from "../rounds/rounds.ts"
import type { Secrets } from "../rounds/sealed.ts"
import { type Shared, wrongShares } from "../rounds/sharings.ts"
import { identityOf, rosterOf, seeded } from "../seeded.ts"

/** A run that is fixed but for what the attack changes. */
export interface RepairSetting {
  readonly attempt: repair.RepairAttempt
  /** The batch as its holders really share it; the member that is repaired has lost its shares. */
  readonly batch: readonly Shared[]
  /** Seed of everyone's randomness: another session has another. */
  readonly seed: string
}

/** What single participants are asked instead, and what they help with: by whom. */
export interface Differing {
  readonly requests?: ReadonlyMap<Identifier, repair.RepairAttempt>
  readonly shares?: ReadonlyMap<Identifier, readonly Secret[]>
}

function kept<S>(
  codec: Codec<S>,
  outcome: Outcome<{ readonly state: S; readonly message: Message }>,
): Outcome<Stepped> {
  if (!outcome.ok) return outcome
  const { state, message } = outcome.value
  return { ok: true, value: { message, stored: encode(codec, state) } }
}

type Repaired = repair.RepairedShare

/** What a member stores with its verdict: its shares, or nothing when it complains. */
const repairedCodec: Codec<readonly Repaired[] | null> = nullable(
  list(struct<Repaired>({ sharing: sharing.sharingCodec, share: secretCodec(32) }), 0xff),
)

/** Null while it has none. */
function repairedIn(stored: Bytes | undefined): readonly Repaired[] | null {
  return stored ? decodedOrNull(repairedCodec, stored) : null
}

/** A helper is accused before or after it has summed. */
function splitOrSummed(stored: Bytes): repair.RepairSplit | repair.RepairSummed {
  try {
    return decode(repair.repairSummedCodec, stored)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return decode(repair.repairSplitCodec, stored)
  }
}

/** A repair, driven by its own coordinator. */
export class RepairRounds implements Rounds<repair.RepairTask> {
  readonly setting: RepairSetting
  readonly participants: readonly Identifier[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly #differing: Differing

  constructor(setting: RepairSetting, differing: Differing = {}) {
    this.setting = setting
    this.#differing = differing
    const { helpers, member } = setting.attempt.params
    this.participants = [...new Set([...helpers, member])].sort((a, b) => a - b)
    this.verifyKeys = rosterOf(this.participants)
  }

  begin(): repair.RepairTask {
    const { params, sharings } = this.setting.attempt
    return repair.repairCoordinate(params, sharings, this.verifyKeys)
  }

  asked(task: repair.RepairTask): Asked | null {
    return task.kind === "ask" ? (task as unknown as Asked) : null
  }

  advance(task: repair.RepairTask, responses: readonly Response[]): repair.RepairTask {
    return task.kind === "ask" ? repair.repairAdvance(task.waiting, responses) : task
  }

  step(task: repair.RepairTask, identifier: Identifier, given: Given): Outcome<Stepped> {
    if (task.kind !== "ask") throw new Error("nobody is asked any more")
    const { attempt, seed } = this.setting
    const self = { signer: identityOf(identifier), verifyKeys: this.verifyKeys }
    const { params, sharings } = this.#differing.requests?.get(identifier) ?? attempt
    const name = `${seed}/${params.attempt}/${identifier}/${task.step}`
    const { stored } = given
    const { opens, splits, sums, complaints } = given.delivery as unknown as repair.RepairDelivery
    switch (task.step) {
      case "open": {
        const known = sharings.map(({ id }) => this.#known(identifier, id)?.sharing ?? null)
        const randomness = seeded(name, repair.OPEN_RANDOMNESS_LENGTH)
        const outcome = repair.repairOpen({ params, sharings, known }, identifier, self, randomness)
        return kept(repair.repairOpenedCodec, outcome)
      }
      case "split": {
        const state = decode(repair.repairOpenedCodec, stored)
        const randomness = seeded(name, repair.splitRandomnessLength(state.params))
        const shares = this.#held(identifier, state.sharings)
        const outcome = repair.repairSplit(state, opens, shares, self, randomness)
        return kept(repair.repairSplitCodec, outcome)
      }
      case "sum": {
        const randomness = seeded(name, repair.SUM_RANDOMNESS_LENGTH)
        const state = decode(repair.repairSplitCodec, stored)
        const outcome = repair.repairSum(state, splits, self, randomness)
        return kept(repair.repairSummedCodec, outcome)
      }
      case "verdict": {
        const state = decode(repair.repairOpenedCodec, stored)
        const outcome = repair.repairVerdict(state, { opens, splits, sums }, self)
        if (!outcome.ok) return outcome
        const { shares, message } = outcome.value
        return { ok: true, value: { message, stored: encode(repairedCodec, shares) } }
      }
      case "answer": {
        const outcome = repair.repairAnswer(splitOrSummed(stored), task.about!, complaints, self)
        if (!outcome.ok) return outcome
        return { ok: true, value: { message: outcome.value.message, stored } }
      }
    }
  }

  /** What a participant really holds of a key, whatever it is told. */
  #known(identifier: Identifier, id: Bytes): Shared | null {
    if (identifier === this.setting.attempt.params.member) return null
    const key = this.setting.batch.find(({ sharing }) => toHex(sharing.id) === toHex(id))
    return key?.shares.has(identifier) ? key : null
  }

  #held(identifier: Identifier, sharings: readonly sharing.Sharing[]): Secret[] {
    const lies = this.#differing.shares?.get(identifier)
    return sharings.map(({ id }, index) => {
      const share = lies?.[index] ?? this.#known(identifier, id)?.shares.get(identifier)
      return Secret.copyOf((share as Secret).expose())
    })
  }

  standBy(stored: Bytes, step: string, sent: Statement): Bytes {
    if (step === "open") {
      const state = decode(repair.repairOpenedCodec, stored)
      return encode(repair.repairOpenedCodec, { ...state, opening: sent })
    }
    if (step !== "split") return stored
    const state = decode(repair.repairSplitCodec, stored)
    return encode(repair.repairSplitCodec, { ...state, split: sent })
  }

  /** An honest member that confirmed holds exactly the shares that it held. */
  end(
    task: repair.RepairTask,
    stored: ReadonlyMap<Identifier, Bytes>,
    honest: readonly Identifier[],
  ): Ending {
    if (task.kind === "ask") throw new Error("the run is not over")
    const { member } = this.setting.attempt.params
    const isHonest = honest.includes(member)
    const repaired = isHonest ? repairedIn(stored.get(member)) : null
    const accepted = repaired ? this.#wrong(repaired) : []
    if (task.kind === "aborted") return { aborts: [task.abort], finished: false, accepted }
    if (isHonest && !repaired) accepted.push("a repair that its member knows nothing of")
    return { aborts: [], finished: true, accepted }
  }

  #wrong(repaired: readonly Repaired[]): string[] {
    const { member } = this.setting.attempt.params
    return repaired.flatMap(({ sharing, share }) => {
      const before = this.setting.batch.find((key) => toHex(key.sharing.id) === toHex(sharing.id))
      if (!before) return ["a share of a stranger's key"]
      const others = [...before.shares].filter(([holder]) => holder !== member)
      const shares = new Map([[member, share], ...others])
      const found = wrongShares(before.sharing, { sharing, shares })
      return found ? [found] : []
    })
  }
}

export const repairSecrets: Secrets = {
  sealingSeed: (opened) => decode(repair.repairOpenedCodec, opened).sealingSeed,
  randomness: (stored, _step, recipient) =>
    splitOrSummed(stored).randomness.get(recipient) as Secret,
}
