import {
  type CallAnswer,
  type CallPayload,
  EVENT_VERSION,
  type Operation,
  type OperatorOperation,
  type OwnerOperation,
  type PersonOperation,
} from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { wipeAccount } from "../accounts.ts"
import {
  cancelRequest,
  decideRequest,
  listRequests,
  showRequest,
} from "../operations/activities.ts"
import { deactivateKey, resumeKey, suspendKey } from "../operations/change-key-state.ts"
import { changePassword } from "../operations/change-password.ts"
import { createKey } from "../operations/create-key.ts"
import { deriveKey } from "../operations/derive-key.ts"
import { forgiveGuesses } from "../operations/forgive-guesses.ts"
import { leaveReshare } from "../operations/leave-reshare.ts"
import { listIncidents } from "../operations/list-incidents.ts"
import { listKeys } from "../operations/list-keys.ts"
import { listSharings } from "../operations/list-sharings.ts"
import { listWaiting } from "../operations/list-waiting.ts"
import { openRequest } from "../operations/open-activity.ts"
import { showPool } from "../operations/pool-status.ts"
import { prepareEcdsa } from "../operations/prepare-ecdsa.ts"
import { prepareSigning } from "../operations/prepare-signing.ts"
import { presign } from "../operations/presign.ts"
import { repairOperation } from "../operations/repair.ts"
import { reportIncident } from "../operations/report-incident.ts"
import { reshareOperation } from "../operations/reshare.ts"
import { setPolicy } from "../operations/set-policy.ts"
import { setupPairs } from "../operations/setup-pairs.ts"
import { showAccount } from "../operations/show-account.ts"
import { showKey } from "../operations/show-key.ts"
import { showPairs } from "../operations/show-pairs.ts"
import { showPolicy } from "../operations/show-policy.ts"
import { showReshare } from "../operations/show-reshare.ts"
import { sign } from "../operations/sign.ts"
import { signEcdsa } from "../operations/sign-ecdsa.ts"
import type { Change } from "../ports/store.ts"
import { questionOf } from "./answers.ts"
import { type AuthorisedRequest, authorise, type OwnerRequest } from "./authorise.ts"
import { commitStep, repeatAnswer, type StepOutcome } from "./commit.ts"
import { operatorNote } from "./operator.ts"
import { logRefusal } from "./refusal.ts"
import type {
  AccountOperationStep,
  CallContext,
  OperatorOperationStep,
  OwnerOperationStep,
  OwnerStep,
  Step,
} from "./step.ts"
import { visitorNote } from "./visitor.ts"

const OWNER_STEPS: Readonly<Record<OwnerOperation, OwnerOperationStep>> = {
  "account.show": showAccount,
  "account.change-password": changePassword,
  "account.forgive-guesses": forgiveGuesses,
  "keys.create": createKey,
  "keys.list": listKeys,
  "keys.show": showKey,
  "sign.prepare": prepareSigning,
  sign,
  "keys.derive": deriveKey,
  "pairs.show": showPairs,
  "pairs.setup": setupPairs,
  presign,
  "pool.status": showPool,
  "ecdsa.prepare": prepareEcdsa,
  "ecdsa.sign": signEcdsa,
  "keys.suspend": suspendKey,
  "keys.resume": resumeKey,
  "keys.deactivate": deactivateKey,
  "incidents.report": reportIncident,
  "incidents.list": listIncidents,
  "policy.set": setPolicy,
  "policy.show": showPolicy,
  "requests.open": openRequest,
  "requests.list": listRequests,
  "requests.show": showRequest,
  "requests.decide": decideRequest,
  "requests.cancel": cancelRequest,
}

const PERSON_STEPS: Readonly<Record<PersonOperation, AccountOperationStep>> = {
  "policy.show": showPolicy,
  "requests.list": listRequests,
  "requests.show": showRequest,
  "requests.decide": decideRequest,
}

const OPERATOR_STEPS: Readonly<Record<OperatorOperation, OperatorOperationStep>> = {
  "incidents.report": reportIncident,
  "incidents.list": listIncidents,
  "sharings.list": listSharings,
  reshare: reshareOperation,
  "reshare.show": showReshare,
  repair: repairOperation,
  "reshare.leave": leaveReshare,
  "reshare.waiting": listWaiting,
}

/** What refills of pools give way to. */
const BUSY_WITH: ReadonlySet<Operation> = new Set(["sign", "ecdsa.sign", "presign"])

/** What policies count, and what people decide about. */
const COUNTED: ReadonlySet<Operation> = new Set([
  ...["sign", "ecdsa.sign", "policy.set", "requests.open", "requests.decide", "requests.cancel"],
] as const)

/** Steps 2 to 5 of the life of a request. */
export async function act(
  context: CallContext,
  payload: Extract<CallPayload, { kind: "act" }>,
): Promise<CallAnswer> {
  const { deps, presigning } = context
  const authorised = await authorise(context, payload.request)
  const { request, digest } = authorised
  const { step, input } = payload
  const question = questionOf(request, digest, step, input)
  const event = eventAbout(authorised, step)
  const busy = BUSY_WITH.has(request.operation) ? 1 : 0
  presigning.busy += busy
  try {
    const repeated = await repeatAnswer(deps, presigning.answers, question)
    if (repeated !== null) return { kind: "act", ...repeated }
    const about = { ...context, step, input, event }
    const decided = async () => {
      const outcome = await run(about, authorised)
      const changes = [...outcome.changes, ...guardOf(authorised, outcome.changes)]
      return await commitStep(deps, presigning.answers, question, { ...outcome, changes })
    }
    const turn = turnOf(authorised)
    const committed = await (turn === null ? decided() : context.policies.inTurn(turn, decided))
    if (authorised.role === "operator") context.counters.add("operator-steps")
    return { kind: "act", ...committed }
  } catch (error) {
    throw await logRefusal(deps, error, event)
  } finally {
    presigning.busy -= busy
    if (authorised.role !== "operator") wipeAccount(authorised.account.value)
  }
}

type About = Omit<OwnerStep, keyof OwnerRequest>

function run(about: About, authorised: AuthorisedRequest): Promise<StepOutcome> {
  switch (authorised.role) {
    case "owner":
      return OWNER_STEPS[authorised.operation]({ ...about, ...authorised })
    case "operator":
      return OPERATOR_STEPS[authorised.operation]({ ...about, ...authorised })
    case "approver":
    case "auditor":
      return PERSON_STEPS[authorised.operation]({ ...about, ...authorised })
  }
}

/** Whose turn it is where a policy counts: an account's requests for signatures come one by one. */
function turnOf(authorised: AuthorisedRequest): string | null {
  if (authorised.role === "operator" || !COUNTED.has(authorised.operation)) return null
  const { accountId, charter } = authorised.account.value
  return charter === null ? null : toHex(accountId)
}

/** What was authorised under one state of the account takes effect under no other. */
function guardOf(authorised: AuthorisedRequest, changes: readonly Change[]): readonly Change[] {
  if (authorised.role === "operator") return []
  const { account } = authorised
  const id = toHex(account.value.accountId)
  if (changes.some((change) => change.kind === "put" && change.table === "accounts")) return []
  return [{ kind: "expect", table: "accounts", id, version: account.version }]
}

function noteOf(authorised: AuthorisedRequest): string {
  if (authorised.role === "operator") return operatorNote(authorised.operator)
  return authorised.role === "owner" ? "" : visitorNote(authorised.visitor)
}

function eventAbout(authorised: AuthorisedRequest, step: number): Step["event"] {
  const { request, digest } = authorised
  const note = noteOf(authorised)
  return (details = {}) => ({
    version: EVENT_VERSION,
    operation: request.operation,
    step,
    outcome: "done",
    reason: "",
    culprits: [],
    pair: null,
    accountId: request.accountId,
    requestDigest: digest,
    keyId: null,
    incidents: [],
    note,
    signers: [],
    decision: null,
    ...details,
  })
}
