import type { LockKeeperError, SharingKind, SharingListing } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import { platformDependencies } from "#platform"
import { askAll } from "../gather.ts"
import { DEFAULT_PATIENCE } from "../limits.ts"
import type { ConnectOptions } from "../lock-keeper.ts"
import type { Cancellable } from "../options.ts"
import { reportEvidence } from "../reports.ts"
import { Servers } from "../servers.ts"
import { trustRoster } from "../trust.ts"
import {
  Campaign,
  type RefreshOptions,
  type RefreshReport,
  type ReshareReport,
} from "./campaign.ts"
import { type PlanOptions, planOf, planRefresh, type RefreshPlan } from "./campaign-plan.ts"
import type { Certify } from "./credentials.ts"
import { OperatorPrincipal } from "./operator-principal.ts"
import { type RepairOptions, type RepairReport, ServerRepair } from "./repair-server.ts"
import { sharingPages } from "./sharing-pages.ts"

export interface OperatorOptions extends ConnectOptions {
  readonly certify: Certify
}

/** What each server of the roster answered, or why it did not. */
export interface FromServers<T> {
  readonly answers: ReadonlyMap<Identifier, T>
  readonly failures: ReadonlyMap<Identifier, LockKeeperError>
}

/**
 * An operator of one server, at all servers of its roster: for maintenance, never for keys. Sessions
 * are opened when first needed and again when they end; the credential is renewed before it expires.
 */
export class OperatorSession {
  readonly #principal: OperatorPrincipal
  /** Whose operator it is. */
  readonly server: Identifier

  private constructor(principal: OperatorPrincipal, server: Identifier) {
    this.#principal = principal
    this.server = server
    principal.servers.outbox.attach((piece) => reportEvidence(principal, piece))
  }

  /**
   * Makes a key and has it certified.
   *
   * @throws LockKeeperError `untrusted-roster`, `untrusted-server`, `wrong-roster`, naming the field;
   *   what `certify` throws.
   */
  static async open(options: OperatorOptions): Promise<OperatorSession> {
    const { roster, pin, ca, certify, dependencies, onIncident = () => undefined } = options
    const trust = trustRoster(roster, pin)
    const deps = { ...platformDependencies(ca === undefined ? {} : { ca }), ...dependencies }
    const patience = { ...DEFAULT_PATIENCE, ...options.patience }
    const principal = new OperatorPrincipal(new Servers(trust, deps, patience, onIncident), certify)
    try {
      return new OperatorSession(principal, await principal.certified())
    } catch (error) {
      await principal.end(new AbortController().signal)
      throw error
    }
  }

  /** 32 bytes: how the servers' logs name this operator. */
  get operatorId(): Bytes {
    return this.#principal.operatorId
  }

  /** What one server holds shares of, page by page in the order of ids; nothing of it is secret. */
  sharingsAt(
    server: Identifier,
    kind: SharingKind,
    { signal = new AbortController().signal }: Cancellable = {},
  ): AsyncIterable<readonly SharingListing[]> {
    return sharingPages(this.#principal, server, kind, signal)
  }

  /** The same of every server, whole. */
  sharings(
    kind: SharingKind,
    options: Cancellable = {},
  ): Promise<FromServers<readonly SharingListing[]>> {
    const { servers } = this.#principal
    return askAll(servers, servers.all, async (server) => {
      const all: SharingListing[] = []
      for await (const page of this.sharingsAt(server, kind, options)) all.push(...page)
      return all
    })
  }

  /**
   * Gives everything of one kind that is due new shares at the same holders; keys and logins stay as they
   * are. What cannot be done is skipped and named. Run again after any stop, it goes on with the rest.
   */
  refresh(options: RefreshOptions): Promise<RefreshReport> {
    const list = (signal: AbortSignal) => this.sharings(options.kind, { signal })
    return new Campaign("refresh", this.#principal, list, options).run()
  }

  /**
   * Moves the shares of one kind to the holders and the threshold that the roster in transition asks for,
   * batch by batch, while all of them are used; members that leave erase theirs. What cannot be done is
   * skipped and named. Run again after any stop, it goes on with the rest.
   */
  reshare(options: Omit<RefreshOptions, "before">): Promise<ReshareReport> {
    const list = (signal: AbortSignal) => this.sharings(options.kind, { signal })
    return new Campaign("reshare", this.#principal, list, options).run()
  }

  /**
   * Restores the shares that one server lacks of what it is to hold, with the help of the others, none of
   * whom learns any. What cannot be done is skipped and named. Run again after any stop, it goes on.
   *
   * @throws LockKeeperError what that server refuses with, or `cancelled`.
   */
  repair(options: RepairOptions): Promise<RepairReport> {
    const list = (signal: AbortSignal) => this.sharings(options.kind, { signal })
    return new ServerRepair(this.#principal, list, options).run()
  }

  /** What `refresh` with the same options is going to do. Changes nothing. */
  async planRefresh(options: PlanOptions & Cancellable): Promise<RefreshPlan> {
    const listings = await this.sharings(options.kind, options)
    return planRefresh(listings, this.#principal.servers, options)
  }

  /** What `reshare` with the same options is going to do. Changes nothing. */
  async planReshare(options: Omit<PlanOptions, "before"> & Cancellable): Promise<RefreshPlan> {
    const listings = await this.sharings(options.kind, options)
    return planOf("reshare", listings, this.#principal.servers, options)
  }

  /** Ends the sessions at the servers, closes the connections and wipes the key. */
  async close({ signal = new AbortController().signal }: Cancellable = {}): Promise<void> {
    await this.#principal.end(signal)
    this.#principal.servers.close()
  }
}
