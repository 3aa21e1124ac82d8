import type { PolicyDocument } from "../document/document.ts"
import type { CedarRequest } from "../rules/cedar-port.ts"
import type { IntentFacts, KeyFacts, RequestFacts } from "./facts.ts"

/** Rules whose limits and quorums let permits take effect, and take it from forbids. */
export interface Effects {
  readonly granted: readonly string[]
  readonly lifted: readonly string[]
}

/**
 * Checked facts as a Cedar request that conforms to the schema by construction. The only numbers in
 * it are times below 2^53.
 */
export function cedarRequest(
  document: PolicyDocument,
  facts: RequestFacts,
  { granted, lifted }: Effects,
): CedarRequest {
  const { principal, key, intent } = facts
  const who = { type: "Principal", id: principal.id }
  const what = key ? { type: "Key", id: key.id } : { type: "Policy", id: document.name }
  const context = { time: timeOf(facts.timeMs), granted: [...granted], lifted: [...lifted] }
  return {
    principal: who,
    action: { type: "Action", id: facts.action },
    resource: what,
    context: intent ? { ...context, intent: intentOf(intent) } : context,
    entities: [
      {
        uid: who,
        attrs: { kind: entity("Kind", principal.kind) },
        // A role that the policy does not know is nothing to it.
        parents: principal.roles
          .filter((role) => document.roles.includes(role))
          .map((role) => ({ type: "Role", id: role })),
      },
      { uid: what, attrs: key ? attributesOf(key) : {}, parents: [] },
    ],
  }
}

const entity = (type: string, id: string) => ({ __entity: { type, id } })

const attributesOf = (key: KeyFacts) => ({
  type: key.type,
  custody: entity("Custody", key.custody),
  labels: [...key.labels],
})

/** In UTC; the week begins with Monday, 1. The first of January 1970 was a Thursday. */
function timeOf(timeMs: number) {
  const day = Math.floor(timeMs / 86_400_000)
  const hour = Math.floor(timeMs / 3_600_000) % 24
  return { at: timeMs, hour, weekday: ((day + 3) % 7) + 1 }
}

/** Nobody and nothing are `-`: an empty set is contained in every list of those allowed. */
const orNone = (values: readonly string[]) => (values.length === 0 ? ["-"] : [...new Set(values)])

const intentOf = ({ chain, kind, from, transfers, complete, warnings }: IntentFacts) => ({
  chain,
  kind,
  from,
  to: orNone(transfers.map(({ to }) => to)),
  assets: orNone(transfers.map(({ asset }) => asset)),
  complete,
  warnings: [...warnings],
})
