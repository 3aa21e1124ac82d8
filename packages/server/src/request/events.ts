import { EVENT_VERSION, type Event } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"

/** An event of an operation that has no signed request yet: opening sessions and logging in. */
export function sessionEvent(
  operation: string,
  accountId: Bytes | null,
  details: Partial<Event> = {},
): Event {
  return {
    version: EVENT_VERSION,
    operation,
    step: 1,
    outcome: "done",
    reason: "",
    culprits: [],
    pair: null,
    accountId,
    requestDigest: null,
    keyId: null,
    incidents: [],
    note: "",
    signers: [],
    decision: null,
    ...details,
  }
}
