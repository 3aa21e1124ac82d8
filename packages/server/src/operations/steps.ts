import { LockKeeperError } from "@lockkeeper/api"

/** Refuses any step but the first of operations that have one. */
export function onlyStep({ step, input }: { step: number; input: Uint8Array }): void {
  if (step !== 1) throw noSuchStep()
  if (input.length !== 0) {
    throw new LockKeeperError("invalid-request", "This operation takes no step input.", {
      field: "input",
    })
  }
}

/** Refuses a body of an operation that has none. */
export function noBody({ request }: { readonly request: { readonly body: Uint8Array } }): void {
  if (request.body.length === 0) return
  throw new LockKeeperError("invalid-request", "This operation takes no body.", { field: "body" })
}

export function noSuchStep(): LockKeeperError {
  return new LockKeeperError("invalid-request", "The operation has no such step.", {
    field: "step",
  })
}
