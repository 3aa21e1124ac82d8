import { LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import {
  type Cedar,
  type Charter,
  type Policy,
  PolicyError,
  policyDigest,
  preparePolicy,
} from "@lockkeeper/policy"

/** Most policies that this process keeps ready to decide. */
const MAX_READY = 64

/** Most requests of one account that wait for their turn. */
const MAX_WAITING = 64

/** What a process knows of policies: those that are ready, and whose turn it is. */
export class PolicyRoom {
  #cedar: Promise<Cedar> | null = null
  /** By digest, the least recently used first. */
  readonly #ready = new Map<string, Policy>()
  readonly #turns = new Map<string, { waiting: number; last: Promise<unknown> }>()

  /** @throws LockKeeperError `invalid-request` naming the first thing that is wrong with it. */
  async prepare({ policy: document }: Pick<Charter, "policy">): Promise<Policy> {
    const digest = toHex(policyDigest(document))
    const policy = this.#ready.get(digest) ?? readyOf(await this.#engine(), document)
    this.#ready.delete(digest)
    this.#ready.set(digest, policy)
    const [oldest] = this.#ready.keys()
    if (this.#ready.size > MAX_READY && oldest !== undefined) this.#ready.delete(oldest)
    return policy
  }

  /**
   * Runs requests of one account one after the other: what one counts, the next one has read.
   *
   * @throws LockKeeperError `rate-limited` when too many wait.
   */
  async inTurn<T>(account: string, work: () => Promise<T>): Promise<T> {
    const turns = this.#turns.get(account) ?? { waiting: 0, last: Promise.resolve() }
    if (turns.waiting >= MAX_WAITING) {
      throw new LockKeeperError("rate-limited", "Too many requests of the account wait here.", {
        remedy: "Wait for the answers to some of them.",
      })
    }
    turns.waiting += 1
    const mine = turns.last.then(work, work)
    turns.last = mine
    this.#turns.set(account, turns)
    try {
      return await mine
    } finally {
      turns.waiting -= 1
      if (turns.waiting === 0) this.#turns.delete(account)
    }
  }

  /** Cedar's WebAssembly takes a tenth of a second: loaded by servers that have an account with a policy. */
  #engine(): Promise<Cedar> {
    this.#cedar ??= import("@lockkeeper/policy/cedar").then(({ cedar }) => cedar)
    return this.#cedar
  }
}

function readyOf(cedar: Cedar, document: Charter["policy"]): Policy {
  try {
    return preparePolicy(cedar, document)
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    const [first = ""] = error.message.split("\n")
    throw new LockKeeperError("invalid-request", `The policy is refused: ${first}`, {
      field: "body.charter.policy",
      remedy: "Check it with `parsePolicy` of @lockkeeper/policy: it says all that is wrong.",
      cause: error,
    })
  }
}
