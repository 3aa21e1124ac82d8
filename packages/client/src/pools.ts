import { LockKeeperError, MAX_PRESIGNATURES } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { isOtherGeneration } from "./generations.ts"
import { type Incident, IncidentLog } from "./incidents.ts"
import { bytesOf, type KeyInfo } from "./key-info.ts"
import { MAX_SETS_TRIED } from "./limits.ts"
import { maintain } from "./maintain.ts"
import type { Cancellable, WithIncidents } from "./options.ts"
import { throwIfCancelled } from "./patience.ts"
import { askPool, type PairInfo, type PoolSet } from "./pool-news.ts"
import type { Principal } from "./principal.ts"
import { type Filled, type PoolPlan, Refill } from "./refill.ts"
import {
  chooseSet,
  isAscending,
  nameOfSet,
  orderFor,
  type SetRules,
  type SignerSet,
  setsInUse,
} from "./signer-sets.ts"
import type { Supply } from "./supply.ts"

/** A key's presignatures as its servers have them. */
export interface PoolReport extends WithIncidents {
  readonly keyId: Bytes
  /** Those in use first, the preferred one at the head; then others that still have something. */
  readonly sets: readonly PoolSet[]
  /** Most presignatures of the key at one server, over all sets. */
  readonly cap: number
  /** How many the fullest server has. */
  readonly held: number
  readonly maxAgeMs: number
  readonly busy: number
  readonly pairs: readonly PairInfo[]
}

export interface FillOptions extends Cancellable {
  readonly keyId: Uint8Array
  /** Sets with fewer presignatures than this are filled. */
  readonly floor: number
  /** Up to so many each, as far as the key's room goes. */
  readonly cap: number
  /** Instead of the sets in use: the preferred one, and one in place of each server that may fail. */
  readonly sets?: readonly SignerSet[]
  readonly onEvent?: (event: PoolEvent) => void
}

export interface MaintainOptions extends Omit<FillOptions, "keyId" | "sets" | "signal"> {
  /** All active ECDSA keys of the account when left out. */
  readonly keys?: readonly Uint8Array[]
  /** From the end of one round to the beginning of the next. */
  readonly intervalMs: number
  /** Ends the maintenance, which then resolves. */
  readonly signal: AbortSignal
}

/** What the maintenance of pools does, as it happens. */
export type PoolEvent =
  /** A batch was made; `ready` is the set's count after it. */
  | {
      readonly kind: "batch"
      readonly keyId: Bytes
      readonly signers: SignerSet
      readonly made: number
      readonly ready: number
      readonly elapsedMs: number
    }
  /** It waits for signatures that are being made. */
  | { readonly kind: "yielding"; readonly keyId: Bytes; readonly busy: number }
  /** No set of the key needs more, or the key's room is used up. */
  | { readonly kind: "full"; readonly keyId: Bytes; readonly ready: number }
  /** A key's refill failed, or the listing of keys; the next try is `retryMs` away. */
  | {
      readonly kind: "failed"
      readonly keyId: Bytes | null
      readonly error: LockKeeperError
      readonly retryMs: number
    }
  | { readonly kind: "incident"; readonly incident: Incident }

export interface FillResult extends Filled, WithIncidents {}

/** Presignature pools of the account's keys. */
export interface Pools {
  status(keyId: Uint8Array, options?: Cancellable): Promise<PoolReport>
  /** Fills once what is below the floor. */
  fill(options: FillOptions): Promise<FillResult>
  /** Keeps pools between floor and cap until the signal aborts; errors are events, and tried again. */
  maintain(options: MaintainOptions): Promise<void>
}

/** What the pools take from their session. */
export interface PoolOwner {
  readonly principal: Principal
  readonly supply: Supply
  /** Signatures of this session that are being made. */
  readonly signing: () => number
  readonly keyOf: (keyId: Bytes, signal: AbortSignal, incidents: IncidentLog) => Promise<KeyInfo>
  readonly inOneGeneration: <T>(
    key: KeyInfo,
    context: { readonly signal: AbortSignal; readonly incidents: IncidentLog },
    use: (key: KeyInfo) => Promise<T>,
  ) => Promise<T>
  readonly listKeys: (signal: AbortSignal, incidents: IncidentLog) => Promise<readonly KeyInfo[]>
}

const FOREVER = new AbortController().signal

export class SessionPools implements Pools {
  readonly #owner: PoolOwner
  /** Keys whose pool is being filled: one batch at a time. */
  readonly #filling = new Map<string, Promise<unknown>>()

  constructor(owner: PoolOwner) {
    this.#owner = owner
  }

  async status(keyId: Uint8Array, { signal = FOREVER }: Cancellable = {}): Promise<PoolReport> {
    const incidents = this.#begin()
    const key = await this.#ecdsaKey(keyId, signal, incidents)
    const { principal, supply } = this.#owner
    const context = { dead: supply.dead, signal, incidents }
    const {
      sets,
      rooms: _,
      unmatched: __,
      ...news
    } = await askPool(principal, key.keyId, key.holders, context)
    const inUse = setsInUse(this.#orderOf(key), this.#rules(key))
    return {
      ...{ keyId: key.keyId, ...news, incidents: incidents.all },
      sets: inOrderOfUse(inUse, sets),
    }
  }

  async fill(options: FillOptions): Promise<FillResult> {
    const { signal = FOREVER, onEvent = () => undefined } = options
    throwIfCancelled(signal)
    checkBounds(options)
    const incidents = this.#begin()
    const key = await this.#ecdsaKey(options.keyId, signal, incidents)
    const plan = { ...options, signal, onEvent, incidents }
    const filled = await this.#owner.inOneGeneration(key, { signal, incidents }, (current) =>
      this.#fillKey(current, plan),
    )
    return { ...filled, incidents: incidents.all }
  }

  async maintain(options: MaintainOptions): Promise<void> {
    checkBounds(options)
    const { clock } = this.#owner.principal.servers.deps
    await maintain(clock, options, {
      keys: async () => options.keys ?? (await this.#activeKeys(options.signal)),
      fill: (keyId) => this.fill({ ...options, keyId }),
    })
  }

  async #activeKeys(signal: AbortSignal): Promise<readonly Bytes[]> {
    const keys = await this.#owner.listKeys(signal, this.#begin())
    return keys
      .filter(({ keyType, state }) => keyType === "ecdsa-secp256k1" && state === "active")
      .map(({ keyId }) => keyId)
  }

  /** Fills one key, after whoever is filling it already. */
  async #fillKey(key: KeyInfo, plan: Omit<PoolPlan, "key" | "sets"> & PlanSets): Promise<Filled> {
    const name = key.keyId.join()
    const before = this.#filling.get(name) ?? Promise.resolve()
    for (const set of plan.sets ?? []) checkSet(set, key, this.#rules(key))
    const run = before.catch(() => undefined).then(() => this.#refill(key, plan))
    this.#filling.set(name, run)
    try {
      return await run
    } finally {
      if (this.#filling.get(name) === run) this.#filling.delete(name)
    }
  }

  /** Where pairs that died meanwhile left none of the sets in use, those that are in use now. */
  async #refill(key: KeyInfo, plan: Omit<PoolPlan, "key" | "sets"> & PlanSets): Promise<Filled> {
    const inUse = () => setsInUse(this.#orderOf(key), this.#rules(key))
    const tried = new Set<string>()
    let sets = plan.sets ?? inUse()
    for (;;) {
      try {
        return await new Refill(this.#owner, { ...plan, key, sets }).run()
      } catch (error) {
        for (const set of sets) tried.add(nameOfSet(set))
        const isLost = sets.some((set) => chooseSet(set, this.#rules(key)) === null)
        const others = plan.sets === undefined && isLost ? inUse() : []
        const isOver =
          !(error instanceof LockKeeperError) ||
          isOtherGeneration(error) ||
          tried.size >= MAX_SETS_TRIED
        if (isOver || others.every((set) => tried.has(nameOfSet(set)))) throw error
        sets = others
      }
    }
  }

  #rules(key: KeyInfo): SetRules {
    const { principal, supply } = this.#owner
    const { roster } = principal.servers.trust
    return { roster, dead: supply.apart, size: key.minSigners }
  }

  #orderOf({ keyId, holders }: KeyInfo): readonly Identifier[] {
    return this.#owner.principal.servers.usable(orderFor(keyId, holders))
  }

  #begin(): IncidentLog {
    this.#owner.principal.assertLive()
    return new IncidentLog(this.#owner.principal.servers)
  }

  async #ecdsaKey(
    keyId: Uint8Array,
    signal: AbortSignal,
    incidents: IncidentLog,
  ): Promise<KeyInfo> {
    const key = await this.#owner.keyOf(bytesOf(keyId, "keyId", 32), signal, incidents)
    if (key.keyType === "ecdsa-secp256k1") return key
    throw new LockKeeperError("invalid-request", `A key of type ${key.keyType} has no pool.`, {
      field: "keyId",
      remedy: "Only ecdsa-secp256k1 keys take presignatures.",
    })
  }
}

interface PlanSets {
  readonly sets?: readonly SignerSet[]
}

function inOrderOfUse(inUse: readonly SignerSet[], sets: readonly PoolSet[]): readonly PoolSet[] {
  const nameOf = (set: SignerSet): string => set.join("-")
  const used = inUse.map((signers) => {
    const listed = sets.find((set) => nameOf(set.signers) === nameOf(signers))
    return listed ?? { signers, ready: 0, oldestAt: 0, complete: true }
  })
  const names = inUse.map(nameOf)
  return [...used, ...sets.filter(({ signers }) => !names.includes(nameOf(signers)))]
}

function checkBounds({ floor, cap }: { readonly floor: number; readonly cap: number }): void {
  const refuse = (field: string, message: string): never => {
    throw new LockKeeperError("invalid-request", message, { field })
  }
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1
  if (!isCount(cap) || cap > MAX_PRESIGNATURES) {
    refuse("cap", `The cap is a number of 1 to ${MAX_PRESIGNATURES}.`)
  }
  if (!isCount(floor) || floor > cap) refuse("floor", "The floor is a number of 1 to the cap.")
}

function checkSet(set: SignerSet, { holders, minSigners }: KeyInfo, rules: SetRules): void {
  const isOfKey = set.length === minSigners && set.every((id) => holders.includes(id))
  const anyPair = { ...rules, dead: { has: () => false } }
  if (!isAscending(set) || !isOfKey || chooseSet(set, anyPair) === null) {
    throw new LockKeeperError(
      "invalid-request",
      `Servers ${set.join(", ")} cannot sign together.`,
      {
        field: "sets",
        remedy: `Name ${minSigners} holders in ascending order, as the placement rules allow.`,
      },
    )
  }
  if (chooseSet(set, rules) !== null) return
  // Nothing that the caller could have known.
  throw new LockKeeperError(
    "not-enough-servers",
    `Of servers ${set.join(", ")} two work with each other no more.`,
    { field: "sets", remedy: "Name sets without both; `lockkeeper pool status` shows them." },
  )
}
