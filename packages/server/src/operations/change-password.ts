import {
  type ChangePasswordBody,
  changePasswordBody,
  identityKeys,
  LockKeeperError,
} from "@lockkeeper/api"
import { equalBytes } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { heldRecord, putAccount, wipeDealing } from "../accounts.ts"
import { checkSettled } from "../names-under-roster.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { keepFormer } from "../resharing/held.ts"
import { dealingExpectation } from "../self.ts"
import { refuseAbort } from "./aborts.ts"
import { noSuchStep } from "./steps.ts"

/**
 * A new OPRF key for the account: step 1 deals it, step 2 activates it once every server has it, and
 * step 3, once every server has activated it, finalises it: only then is the old one destroyed.
 */
export const changePassword: OwnerOperationStep = (step) => {
  if (step.step === 1) return deal(step)
  if (step.step === 2) return activate(step)
  if (step.step === 3) return finalise(step)
  throw noSuchStep()
}

/**
 * Goes back first to the record that the owner has logged in with, where this server is ahead of it:
 * then no later change can leave servers whose only common version none of them shows.
 */
async function deal(step: OwnerStep): Promise<StepOutcome> {
  const body = decodeAs("body", changePasswordBody, step.request.body)
  const dealt = decodeAs("dealing", opaque.accountDealingCodec, step.input)
  step.input.fill(0)
  try {
    return await keep(step, body, dealt)
  } finally {
    wipeDealing(dealt)
  }
}

async function keep(
  step: OwnerStep,
  body: ChangePasswordBody,
  dealt: opaque.AccountDealing,
): Promise<StepOutcome> {
  const { self, deps, account, request } = step
  await checkSettled(deps, request.accountId)
  const { registration } = dealt
  const { active: now } = account.value
  if (now === null) throw new Error("an account that is not here is in a settled range")
  const expectation = dealingExpectation(self, request.accountId, now.registration)
  const accepted = opaque.acceptDealing(expectation, dealt)
  if (!accepted.ok) {
    const { abort } = accepted
    const field = `dealing.${abort.field || abort.reason}`
    return refuseAbort(step, { ...abort, field }, [], {})
  }
  if (!names(body, registration)) {
    throw new LockKeeperError("invalid-request", "The dealing is not the one that was signed.", {
      field: "body.registrationDigest",
    })
  }
  const base = heldRecord(account.value, loggedInAt(step))
  const isAhead = base !== null && base === account.value.previous
  const changed = {
    ...account.value,
    ...(isAhead ? { active: base, previous: null } : {}),
    pending: accepted.value,
    pendingSince: deps.clock.now(),
  }
  return {
    output: opaque.confirmRegistration(self.identity, registration),
    changes: [putAccount(changed, account.version)],
    event: step.event(),
  }
}

function names(body: ChangePasswordBody, registration: opaque.Registration): boolean {
  return (
    body.opaqueVersion === registration.keys.opaqueVersion &&
    equalBytes(body.registrationDigest, opaque.registrationDigest(registration))
  )
}

async function activate(step: OwnerStep): Promise<StepOutcome> {
  const { self, deps, account, session, sessions } = step
  const { pending, accountId } = account.value
  if (pending === null) {
    throw new LockKeeperError("not-found", "No password change is waiting here.", {
      remedy: "Change the password again.",
    })
  }
  const confirmations = decodeAs("confirmations", opaque.confirmationsCodec, step.input)
  const activated = opaque.activate(pending, confirmations, identityKeys(self.roster))
  if (!activated.ok) {
    const { abort } = activated
    return refuseAbort(step, { ...abort, field: abort.field || "confirmations" }, [], {})
  }
  const { active: previous } = account.value
  // Dealt anew: whatever generation the shares before have come to, these are the first of a new key.
  const active = opaque.asRegistered(activated.value)
  const changed = { ...account.value, active, previous, pending: null }
  const certificate = previous?.oprf?.certificate ?? null
  const around = { store: deps.store, roster: self.roster }
  const kept = await keepFormer(around, { kind: "accounts" }, accountId, certificate)
  return {
    output: opaque.registrationDigest(activated.value.registration),
    changes: [putAccount(changed, account.version), ...kept],
    event: step.event(),
    afterCommit: () => {
      sessions.endAccount(accountId, session)
      session.stage = {
        kind: "authenticated",
        accountId,
        opaqueVersion: active.registration.keys.opaqueVersion,
      }
    },
  }
}

function loggedInAt({ session }: OwnerStep): number {
  if (session.stage.kind !== "authenticated") throw new Error("a step without a login")
  return session.stage.opaqueVersion
}

/** Destroys the record before, by the owner's word that no server needs it any more. */
async function finalise(step: OwnerStep): Promise<StepOutcome> {
  const { account, request, session, sessions } = step
  const body = decodeAs("body", changePasswordBody, request.body)
  const { active, accountId } = account.value
  if (active === null || !names(body, active.registration)) {
    throw new LockKeeperError("conflict", "This password change is not the active one here.", {
      field: "body.registrationDigest",
      remedy: "Change the password again.",
    })
  }
  const changed = { ...account.value, previous: null }
  return {
    output: new Uint8Array(0),
    changes: [putAccount(changed, account.version)],
    event: step.event(),
    // A session of the password before does nothing from here on: nothing of it is held.
    afterCommit: () => sessions.endAccount(accountId, session),
  }
}
