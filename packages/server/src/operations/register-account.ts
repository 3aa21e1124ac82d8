import { type CallAnswer, identityKeys, LockKeeperError } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import type { AccountRow } from "../account-row.ts"
import {
  PENDING_REGISTRATION_MS,
  putAccount,
  readAccount,
  wipeAccount,
  wipeDealing,
} from "../accounts.ts"
import { checkAnswers, checkSettled } from "../names-under-roster.ts"
import type { Versioned } from "../ports/store.ts"
import { commitChanges } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import { sessionEvent } from "../request/events.ts"
import type { Opening, OpeningContext } from "../request/opening.ts"
import { UNFINISHED_MS } from "../request/sessions.ts"
import type { CallContext } from "../request/step.ts"
import { dealingExpectation } from "../self.ts"
import { readUnknownNames } from "../unknown-names.ts"
import { abortError } from "./aborts.ts"

/** Opens a session for a registration; the dealing follows in a forward-secret frame. */
export async function startRegistration({ deps }: OpeningContext, name: string): Promise<Opening> {
  if (name === "") {
    throw new LockKeeperError("invalid-request", "The account name is empty.", {
      field: "payload.name",
    })
  }
  return {
    answer: { kind: "register" },
    stage: { kind: "registering", name },
    expiresAt: deps.clock.now() + UNFINISHED_MS,
  }
}

function registeringName({ session }: CallContext): string {
  if (session.stage.kind === "registering") return session.stage.name
  throw new LockKeeperError("out-of-order", "This session is not registering an account.", {
    remedy: "Open a session to register.",
  })
}

function nameTaken(): LockKeeperError {
  return new LockKeeperError("already-exists", "The account name is taken.", {
    field: "name",
    remedy: "Choose another name, or log in.",
  })
}

/** Stores a sound dealing as pending and answers this server's confirmation of the registration. */
export async function dealRegistration(context: CallContext, dealing: Bytes): Promise<CallAnswer> {
  const { deps } = context
  const name = registeringName(context)
  const accountId = opaque.accountIdOf(name)
  const dealt = decodeAs("dealing", opaque.accountDealingCodec, dealing)
  dealing.fill(0)
  const existing = await readAccount(deps.store, accountId)
  try {
    return await keepDealing(context, name, dealt, existing)
  } finally {
    wipeDealing(dealt)
    if (existing !== null) wipeAccount(existing.value)
  }
}

async function keepDealing(
  { self, deps }: CallContext,
  name: string,
  dealt: opaque.AccountDealing,
  existing: Versioned<AccountRow> | null,
): Promise<CallAnswer> {
  const accountId = opaque.accountIdOf(name)
  await checkSettled(deps, accountId)
  if (existing !== null && isTaken(existing.value)) throw nameTaken()
  const accepted = opaque.acceptDealing(dealingExpectation(self, accountId, null), dealt)
  // Not logged: a stranger could write as much as they like, and nothing was given away.
  if (!accepted.ok) {
    throw abortError(accepted.abort, `dealing.${accepted.abort.field || accepted.abort.reason}`)
  }
  const signature = opaque.confirmRegistration(self.identity, accepted.value.registration)
  const now = deps.clock.now()
  const waiting = existing?.value.pending ?? null
  if (waiting !== null) {
    // The same again changes nothing: it neither writes nor keeps the name for longer.
    if (sameRegistration(waiting, accepted.value)) return { kind: "register-deal", signature }
    if (now - (existing?.value.pendingSince ?? 0) < PENDING_REGISTRATION_MS) throw nameTaken()
  }
  const row: AccountRow = {
    accountId,
    name,
    createdAt: now,
    active: null,
    previous: null,
    pending: accepted.value,
    pendingSince: now,
    left: null,
    charter: null,
  }
  const event = sessionEvent("account.register", accountId)
  await commitChanges(deps, [putAccount(row, existing?.version ?? "absent")], event)
  return { kind: "register-deal", signature }
}

function isTaken({ active, left }: AccountRow): boolean {
  return active !== null || left !== null
}

function sameRegistration(a: opaque.AccountRecord, b: opaque.AccountRecord): boolean {
  const [first, second] = [a, b].map(({ registration }) => opaque.registrationDigest(registration))
  return first?.every((byte, i) => byte === second?.[i]) ?? false
}

/** Makes the pending registration active: every server has confirmed it. Repeats do nothing. */
export async function activateRegistration(
  context: CallContext,
  encoded: Bytes,
): Promise<CallAnswer> {
  const { self, deps } = context
  const accountId = opaque.accountIdOf(registeringName(context))
  const confirmations = decodeAs("confirmations", opaque.confirmationsCodec, encoded)
  checkAnswers((await readUnknownNames(deps.store)).value, accountId)
  const row = await readAccount(deps.store, accountId)
  const record = row?.value.pending ?? row?.value.active ?? null
  if (row === null || record === null) {
    throw new LockKeeperError("not-found", "No registration of this name is waiting here.", {
      field: "name",
      remedy: "Register again.",
    })
  }
  const activated = opaque.activate(record, confirmations, identityKeys(self.roster))
  if (!activated.ok) {
    wipeAccount(row.value)
    throw abortError(activated.abort, activated.abort.field || "confirmations")
  }
  const event = sessionEvent("account.activate", accountId)
  const active = opaque.asRegistered(activated.value)
  const changes =
    row.value.active === null
      ? [putAccount({ ...row.value, active, pending: null }, row.version)]
      : []
  wipeAccount(row.value)
  return { kind: "register-activate", log: await commitChanges(deps, changes, event) }
}
