import {
  activityBody,
  activityIdOf,
  activityListing,
  charterShown,
  LockKeeperError,
  openActivityBody,
  type Subject,
  setPolicyBody,
} from "@lockkeeper/api"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import {
  type AccountRequest,
  listAccountRequests,
  type ShownAccountRequest,
  showAccountRequest,
  type ToldServers,
  tellAll,
  withoutAnswers,
} from "./account-requests.ts"
import type { Cancellable } from "./options.ts"
import type { Principal } from "./principal.ts"

/** How long a request waits unless said otherwise, milliseconds. */
const USUAL_WAIT_MS = 24 * 3_600_000

export interface OpenRequestOptions extends Cancellable {
  /** What is to be approved, as it will be asked for. */
  readonly subject: Subject
  /** 16 bytes that name it: with the same, it is the same request. Fresh ones without. */
  readonly clientKey?: Bytes
  /** Milliseconds since the Unix epoch, within seven days; a day from now without. */
  readonly expiresAt?: number
}

export interface OpenedRequest extends ToldServers {
  readonly activityId: Bytes
  readonly expiresAt: number
}

/** The charter of an account: encoded as `charterCodec` of @lockkeeper/policy has it. */
export interface Policies {
  /**
   * The charter in force, as at least t servers have it; null where the owner decides alone.
   *
   * @throws LockKeeperError `conflict` when fewer than t servers say the same.
   */
  show(options?: Cancellable): Promise<Bytes | null>
  /** Sets the first charter, or the next one where that is approved. Repeat it until it is effective. */
  set(charter: Bytes, options?: Cancellable): Promise<ToldServers>
}

/** Requests that wait for an account's people. */
export interface Requests {
  open(options: OpenRequestOptions): Promise<OpenedRequest>
  list(options?: Cancellable): Promise<readonly AccountRequest[]>
  show(activityId: Bytes, options?: Cancellable): Promise<ShownAccountRequest>
  cancel(activityId: Bytes, options?: Cancellable): Promise<ToldServers>
}

const NEVER = new AbortController().signal

export function policiesOf(principal: Principal): Policies {
  return {
    async show({ signal = NEVER } = {}) {
      const body = new Uint8Array(0)
      const ask = { operation: "policy.show", body, codec: charterShown } as const
      const { answers } = await tellAll(principal, ask, signal)
      const count = new Map<string, number>()
      for (const charter of answers.values()) {
        const key = charter === null ? "" : toHex(charter)
        count.set(key, (count.get(key) ?? 0) + 1)
        if (count.get(key) === principal.servers.minSigners) return charter
      }
      throw new LockKeeperError("conflict", "Too few servers have the same policy in force.", {
        field: "policy",
        remedy: "Set it once more at those that missed it.",
      })
    },
    async set(charter, { signal = NEVER } = {}) {
      const body = encode(setPolicyBody, { charter })
      return withoutAnswers(
        await tellAll(principal, { operation: "policy.set", body, codec: null }, signal),
      )
    },
  }
}

export function requestsOf(principal: Principal): Requests {
  const { clock, randomness } = principal.servers.deps
  return {
    async open({ subject, clientKey, expiresAt, signal = NEVER }) {
      const key = clientKey ?? randomness.bytes(16)
      const until = expiresAt ?? clock.now() + USUAL_WAIT_MS
      const body = encode(openActivityBody, { clientKey: key, subject, expiresAt: until })
      const ask = { operation: "requests.open", body, codec: activityListing } as const
      const told = withoutAnswers(await tellAll(principal, ask, signal))
      return { ...told, activityId: activityIdOf(principal.accountId, key), expiresAt: until }
    },
    list: ({ signal = NEVER } = {}) => listAccountRequests(principal, signal),
    show: (activityId, { signal = NEVER } = {}) =>
      showAccountRequest(principal, activityId, signal),
    async cancel(activityId, { signal = NEVER } = {}) {
      const body = encode(activityBody, { activityId })
      const ask = { operation: "requests.cancel", body, codec: activityListing } as const
      return withoutAnswers(await tellAll(principal, ask, signal))
    },
  }
}
