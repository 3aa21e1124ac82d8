import { LockKeeperError, type Roster, rosterDigest } from "@lockkeeper/api"
import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { assembleSelf, checkClock } from "./assemble-self.ts"
import type { Descriptor } from "./directory/descriptor.ts"
import { outlookAmong, outlookOf } from "./directory/holdings.ts"
import { checkHasCome, checkMayGoOn, type GoOnOptions } from "./directory/may-go-on.ts"
import { type NextRoster, prepareRoster, prepareSettled } from "./directory/roster.ts"
import type { RosterBundle, RosterSignature } from "./directory/roster-bundle.ts"
import { consentToRoster } from "./directory/roster-consent.ts"
import { rotateChannelKey } from "./directory/rotate-channel-key.ts"
import type { Unsealed } from "./directory/unseal.ts"
import { KeyServer } from "./key-server.ts"
import type { Dependencies } from "./ports/dependencies.ts"
import { commitEvent } from "./request/commit.ts"
import { sessionEvent } from "./request/events.ts"
import type { Turnstile } from "./turnstile.ts"
import type { WatchedStore } from "./watched-store.ts"

/** Longest that calls under way are waited for, milliseconds. */
const DRAIN_MS = 5_000

const UNFORCED: GoOnOptions = { isForced: false }

/** What a running server is made of. */
export interface Running {
  readonly unsealed: Unsealed
  /** The same as of `unsealed`, as its operations see it. */
  readonly store: WatchedStore
  readonly deps: Dependencies
  readonly turnstile: Turnstile
  /** Longest a presignature is kept, milliseconds. */
  readonly maxAgeMs: number
}

/** What became of a running server's roster. */
export interface Succeeded {
  readonly before: Roster
  readonly roster: Roster
}

/** How a server that runs agrees to its next roster and goes on under it, in the same process. */
export class RosterSuccession {
  readonly #running: Running
  #work: Promise<unknown> | null = null
  #isClosed = false

  constructor(running: Running) {
    this.#running = running
  }

  /** This server's consent, logged before it leaves. @throws LockKeeperError as `consentToRoster`. */
  async consent(roster: Bytes): Promise<RosterSignature> {
    const { unsealed, deps } = this.#running
    const consent = await consentToRoster(unsealed, roster, deps.randomness)
    await this.#log("roster.consent", roster)
    return consent
  }

  /**
   * Goes on under the roster of a bundle.
   *
   * @throws LockKeeperError `conflict` where shares that it holds could not be used under that one, and
   *   during another change; `unavailable` where calls do not end in time; as `installRoster`. Then
   *   nothing has changed, unless the turnstile is broken.
   */
  async activate(bundle: RosterBundle, options: GoOnOptions = UNFORCED): Promise<Succeeded> {
    return await this.#alone(async () => {
      using next = await prepareRoster(this.#running.unsealed, bundle)
      return await this.#goOnUnder(next, options)
    })
  }

  /**
   * Goes on under the roster that ends the transition of its own.
   *
   * @param bundle - that holds it, where the server has not kept it.
   * @throws LockKeeperError as `prepareSettled` and `activate`.
   */
  async settle(bundle: RosterBundle | null, options: GoOnOptions = UNFORCED): Promise<Succeeded> {
    return await this.#alone(async () => {
      using next = await prepareSettled(this.#running.unsealed, bundle)
      return await this.#goOnUnder(next, options)
    })
  }

  /** Makes a channel key for the next roster. @throws LockKeeperError `conflict` during a change. */
  async rotateChannelKey(): Promise<Descriptor> {
    const { unsealed, deps } = this.#running
    return await this.#alone(async () => {
      const descriptor = await rotateChannelKey(unsealed, deps.randomness)
      const note = `channel key ${toHex(sha256(descriptor.channelKey))}`
      await commitEvent(deps, sessionEvent("channel.rotate", null, { note }))
      return descriptor
    })
  }

  /** Waits for a change that is under way, and begins no other. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#work?.catch(() => undefined)
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed || this.#work !== null) {
      const what = this.#isClosed ? "stopping" : "changing its roster already"
      throw new LockKeeperError("conflict", `The server is ${what}.`, {
        remedy: "Wait until that has ended.",
      })
    }
    const working = work()
    this.#work = working
    try {
      return await working
    } finally {
      this.#work = null
    }
  }

  async #goOnUnder(next: NextRoster, options: GoOnOptions): Promise<Succeeded> {
    const { unsealed, store, deps, turnstile } = this.#running
    const { roster, before, followed, forgets, member, commit } = next
    if (before === null) throw new Error("a server runs without a roster")
    const onward = { followed, before, roster, forgets }
    await checkClock(unsealed, { roster }, deps.clock.now())
    // All that is held is looked at while the server is used; then only what changed meanwhile.
    const watch = store.watch()
    try {
      const all = await outlookOf({ store }, onward)
      checkMayGoOn(onward, all, options)
      checkHasCome(onward, member, all.held, options)
      await turnstile.exchange({
        drainMs: DRAIN_MS,
        check: async () => {
          const places = watch.places()
          const outlook =
            places === null
              ? await outlookOf({ store }, onward)
              : await outlookAmong(store, onward, places)
          checkMayGoOn(onward, outlook, options)
        },
        commit,
        build: () => this.#build(),
      })
    } finally {
      watch.end()
    }
    const { members, rosterEpoch } = roster
    deps.events.event("roster-activated", { roster: rosterEpoch, servers: members.length })
    return { before, roster }
  }

  /** As a start does after a crash: what the server before left in its memory alone is gone. */
  async #build(): Promise<KeyServer> {
    const { unsealed, deps, turnstile, maxAgeMs } = this.#running
    try {
      const self = await assembleSelf(unsealed)
      const counters = turnstile.server.counters.succeed()
      const server = new KeyServer(self, deps, maxAgeMs, counters)
      await server.start("unclean")
      await this.#log("roster.activate", self.signedRoster.roster)
      return server
    } catch (error) {
      deps.events.event("roster-not-taken-up", {})
      throw error
    }
  }

  async #log(operation: string, roster: Bytes): Promise<void> {
    const note = `roster ${toHex(rosterDigest(roster))}`
    await commitEvent(this.#running.deps, sessionEvent(operation, null, { note }))
  }
}
