import { keyListing, showKeyBody } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { readListing } from "../keys.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** One of the account's keys. */
export const showKey: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { keyId } = decodeAs("body", showKeyBody, step.request.body)
  const listing = await readListing(step.deps.store, step.request.accountId, keyId)
  return { output: encode(keyListing, listing), changes: [], event: step.event({ keyId }) }
}
