import { changePasswordBody, identityKeys, LockKeeperError } from "@lockkeeper/api"
import { equalBytes } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { activeVersion, putAccount } from "../accounts.ts"
import type { OperationStep, Step } from "../request/act.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import { dealingExpectation } from "../self.ts"
import { abortError } from "./aborts.ts"
import { noSuchStep } from "./steps.ts"

/** A new OPRF key for the account: step 1 deals it, step 2 activates it once every server has it. */
export const changePassword: OperationStep = (step) => {
  if (step.step === 1) return deal(step)
  if (step.step === 2) return activate(step)
  throw noSuchStep()
}

async function deal(step: Step): Promise<StepOutcome> {
  const { self, deps, account, request } = step
  const body = decodeAs("body", changePasswordBody, request.body)
  const dealt = decodeAs("dealing", opaque.accountDealingCodec, step.input)
  step.input.fill(0)
  const { registration } = dealt
  const expectation = dealingExpectation(self, request.accountId, account.value.active.registration)
  const accepted = opaque.acceptDealing(expectation, dealt)
  if (!accepted.ok) {
    throw abortError(accepted.abort, `dealing.${accepted.abort.field || accepted.abort.reason}`)
  }
  const digest = opaque.registrationDigest(registration)
  if (
    body.opaqueVersion !== registration.keys.opaqueVersion ||
    !equalBytes(body.registrationDigest, digest)
  ) {
    throw new LockKeeperError("invalid-request", "The dealing is not the one that was signed.", {
      field: "body.registrationDigest",
    })
  }
  const changed = {
    ...account.value,
    pending: accepted.value,
    pendingSince: deps.clock.now(),
  }
  return {
    output: opaque.confirmRegistration(self.identity, registration),
    changes: [putAccount(changed, account.version)],
    event: step.event(),
  }
}

async function activate(step: Step): Promise<StepOutcome> {
  const { self, account, session, sessions, guesses } = step
  const { pending, accountId } = account.value
  if (pending === null) {
    throw new LockKeeperError("not-found", "No password change is waiting here.", {
      remedy: "Change the password again.",
    })
  }
  const confirmations = decodeAs("confirmations", opaque.confirmationsCodec, step.input)
  const activated = opaque.activate(pending, confirmations, identityKeys(self.roster))
  if (!activated.ok) throw abortError(activated.abort, activated.abort.field || "confirmations")
  const changed = { ...account.value, active: activated.value, pending: null }
  const guess = await guesses.read(accountId, true)
  const counter = opaque.newGuessCounter()
  return {
    output: new Uint8Array(0),
    changes: [putAccount(changed, account.version), guesses.put(guess, counter)],
    event: step.event(),
    afterCommit: () => {
      guesses.remember(guess, counter)
      sessions.endAccount(accountId, session)
      session.stage = {
        kind: "authenticated",
        accountId,
        opaqueVersion: activeVersion(changed),
      }
    },
  }
}
