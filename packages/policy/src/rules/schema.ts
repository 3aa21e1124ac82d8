import { ACTIONS, CUSTODIES, PRINCIPAL_KINDS } from "../facts/facts.ts"

/**
 * What rules may speak of, as a Cedar schema. Roles, kinds and custodies are enumerations, so that a
 * misspelt one is refused and does not leave a rule without effect. Amounts, counts and approvals
 * are missing: they do not fit into Cedar's integers, and reach rules by `@limit` and `@quorum`.
 */
export function schemaText(roles: readonly string[]): string {
  const role = roles.length === 0 ? "" : `entity Role enum ${list(roles)};`
  const parents = roles.length === 0 ? "" : " in [Role]"
  return `
${role}
entity Kind enum ${list(PRINCIPAL_KINDS)};
entity Custody enum ${list(CUSTODIES)};
entity Principal${parents} { kind: Kind };
entity Key { type: String, custody: Custody, labels: Set<String> };
entity Policy;
type Time = { at: Long, hour: Long, weekday: Long };
type Intent = {
  chain: String, kind: String, from: String, to: Set<String>, assets: Set<String>,
  complete: Bool, warnings: Set<String>
};
${ACTIONS.map(action).join("\n")}`
}

const list = (words: readonly string[]) => `[${words.map((word) => `"${word}"`).join(", ")}]`

function action(name: string): string {
  const resource = name === "change-policy" ? "Policy" : "Key"
  const intent = name === "sign" ? ", intent: Intent" : ""
  return `action "${name}" appliesTo {
  principal: [Principal], resource: [${resource}], context: { time: Time${intent} }
};`
}
