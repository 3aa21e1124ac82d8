import { keyListings, LockKeeperError, listKeysBody, MAX_PAGE } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { scanListings } from "../keys.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** One page of the account's keys, in id order. */
export const listKeys: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { after, limit } = decodeAs("body", listKeysBody, step.request.body)
  if (limit < 1 || limit > MAX_PAGE) {
    throw new LockKeeperError("invalid-request", `A page holds 1 to ${MAX_PAGE} keys.`, {
      field: "body.limit",
    })
  }
  const listings = await scanListings(step.deps.store, step.request.accountId, after, limit)
  return { output: encode(keyListings, listings), changes: [], event: step.event() }
}
