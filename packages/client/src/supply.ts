import {
  type LockKeeperError,
  MAX_NONCES,
  type PreparedEcdsa,
  preparedEcdsa,
  prepareEcdsaBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import { orMalformed, readAnswer } from "./answers.ts"
import type { BulkResult } from "./bulk-run.ts"
import { EcdsaMaterial, type Material } from "./ecdsa-material.ts"
import { askAll } from "./gather.ts"
import { sharesOf } from "./generations.ts"
import { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import { MAX_PREPARED_KEYS, POOL_NEWS_LIFETIME_MS } from "./limits.ts"
import { askPool, type PoolNews } from "./pool-news.ts"
import { presign } from "./presign.ts"
import type { Principal } from "./principal.ts"
import { type Shared, SharedWork } from "./shared-work.ts"
import { type DeadPairs, nameOfSet, type SignerSet } from "./signer-sets.ts"
import { type OnSlow, watchCall } from "./watch.ts"

type Failures = ReadonlyMap<Identifier, LockKeeperError>

/** How much longer than another answer a step of presigning may take before its server counts as slow. */
const PRESIGN_PATIENCE = 3

/**
 * What ECDSA signatures of one session are made of: nonces and offers at hand, fetched or, where the
 * pool is empty, made on the spot for all who wait at that moment.
 */
export class Supply {
  readonly dead: DeadPairs
  readonly #principal: Principal
  readonly #material: EcdsaMaterial
  readonly #fetches: SharedWork<Failures>
  readonly #batches: SharedWork<BulkResult>
  readonly #news = new Map<string, { readonly at: number; readonly news: Promise<PoolNews> }>()

  constructor(principal: Principal, dead: DeadPairs) {
    const { servers } = principal
    this.dead = dead
    this.#principal = principal
    this.#material = new EcdsaMaterial(servers.deps.clock)
    this.#fetches = new SharedWork(servers)
    this.#batches = new SharedWork(servers)
  }

  /** Pairs that no signer set may hold: dead ones, and servers of which one works with the other no more. */
  get apart(): Pick<DeadPairs, "has"> {
    const { exclusions } = this.#principal.servers
    return { has: (a, b) => this.dead.has(a, b) || exclusions.areApart(a, b) }
  }

  take(shares: Bytes, set: SignerSet): Material | null {
    return this.#material.take(shares, set)
  }

  giveBack(shares: Bytes, set: SignerSet, material: Material): void {
    this.#material.giveBack(shares, set, material)
  }

  hasOffer(shares: Bytes, set: SignerSet): boolean {
    return this.#material.hasOffer(shares, set)
  }

  /** How many nonces an answer of this server should bring along: as many as the call uses up. */
  wanted(shares: Bytes, server: Identifier): number {
    return Math.min(1, this.#material.room(shares, server))
  }

  /** Keeps what came along with an answer. @throws LockKeeperError `untrusted-server`. */
  keep(shares: Bytes, set: SignerSet, server: Identifier, prepared: PreparedEcdsa): void {
    orMalformed(server, () => this.#material.keep(shares, set, server, prepared))
  }

  dropNonces(shares: Bytes, server: Identifier): void {
    this.#material.dropNonces(shares, server)
  }

  clear(): void {
    this.#material.clear()
    this.#news.clear()
  }

  /** What the key's holders say of its pool: heard once for signatures that ask at about one time. */
  news(key: KeyInfo): Promise<PoolNews> {
    const { keyId, holders } = key
    const { servers } = this.#principal
    const now = servers.deps.clock.now()
    const name = toHex(sharesOf(key))
    const heard = this.#news.get(name)
    if (heard !== undefined && now - heard.at < POOL_NEWS_LIFETIME_MS) return heard.news
    const context = { dead: this.dead, signal: NOBODY, incidents: new IncidentLog(servers) }
    const callMs = servers.patience.hedgeMs
    const news = askPool(this.#principal, keyId, holders, { ...context, callMs })
    news.catch(() => this.#news.delete(name))
    this.#news.delete(name)
    this.#news.set(name, { at: now, news })
    const [oldest] = this.#news.keys()
    if (this.#news.size > MAX_PREPARED_KEYS && oldest !== undefined) this.#news.delete(oldest)
    return news
  }

  /** Asks the set's signers for what is lacking. Gives who failed. */
  fetch(key: KeyInfo, set: SignerSet, onSlow: OnSlow): Promise<Shared<Failures>> {
    const name = nameOf(key, set)
    return this.#fetches.join(name, onSlow, async (wanted, incidents, slow) => {
      const among = this.#material.lacking(sharesOf(key), set)
      const count = Math.min(wanted, MAX_NONCES)
      const { keyId, keyEpoch } = key.certificate.public
      const body = encode(prepareEcdsaBody, { keyId, keyEpoch, signers: set, count })
      const request = this.#principal.request("ecdsa.prepare", set, body)
      const { servers } = this.#principal
      const { failures } = await askAll(servers, among, async (server) => {
        const done = watchCall(servers, server, servers.patience.hedgeMs, slow)
        try {
          const none = new Uint8Array(0)
          const answer = await this.#principal.act(server, request, 1, none, NOBODY)
          const prepared = readAnswer(server, preparedEcdsa, answer.output)
          this.keep(sharesOf(key), set, server, prepared)
        } finally {
          done()
        }
      })
      for (const [server, error] of failures) incidents.failed(server, error, set)
      return failures
    })
  }

  /** Makes presignatures with the set, one for each that waits, as far as one batch holds them. */
  makeOnTheSpot(key: KeyInfo, set: SignerSet, onSlow: OnSlow): Promise<Shared<BulkResult>> {
    const { servers } = this.#principal
    const { dead } = this
    const ms = PRESIGN_PATIENCE * servers.patience.hedgeMs
    const name = nameOf(key, set)
    return this.#batches.join(name, onSlow, (wanted, incidents, slow) =>
      presign(this.#principal, {
        ...{ key, set, dead, incidents },
        count: Math.min(wanted, dkls.maxBatch(set.length)),
        urgency: "now",
        ready: null,
        signal: NOBODY,
        watch: (server) => watchCall(servers, server, ms, slow),
      }),
    )
  }
}

/** Work that several wait for is nobody's to cancel; every call has its own end. */
const NOBODY = new AbortController().signal

function nameOf(key: KeyInfo, set: SignerSet): string {
  return `${toHex(sharesOf(key))}/${nameOfSet(set)}`
}
