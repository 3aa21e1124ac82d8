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

export function noSuchStep(): LockKeeperError {
  return new LockKeeperError("invalid-request", "The operation has no such step.", {
    field: "step",
  })
}
