import { LockKeeperError, listSharingsBody, MAX_SHARINGS_PAGE, sharingsPage } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { decodeAs } from "../request/decode.ts"
import type { OperatorOperationStep } from "../request/step.ts"
import { pageOfAccounts, pageOfKeys } from "../resharing/sources.ts"
import { onlyStep } from "./steps.ts"

/** The public side of what this server holds shares of, a page at a time. */
export const listSharings: OperatorOperationStep = async (step) => {
  onlyStep(step)
  const { kind, after, limit } = decodeAs("body", listSharingsBody, step.request.body)
  if (limit < 1 || limit > MAX_SHARINGS_PAGE) {
    throw new LockKeeperError("invalid-request", `A page has 1 to ${MAX_SHARINGS_PAGE}.`, {
      field: "body.limit",
    })
  }
  const { deps, self } = step
  const page =
    kind === "keys"
      ? await pageOfKeys(deps.store, after, limit)
      : await pageOfAccounts(self, deps.store, after, limit)
  return { output: encode(sharingsPage, page), changes: [], event: step.event() }
}
