import { readFileSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"
import { type AddCommands, report } from "../command.ts"
import { EXIT } from "../exit-codes.ts"

/** `lockkeeper policy test FILE`: what key servers would refuse a policy for, and what it holds. */
export const addPolicyTest: AddCommands = (add) =>
  add({
    usage: "test",
    summary: "Check a policy file as key servers do, and say what is in it",
    arguments: [["<file>", "the policy: a JSON header, a line of three hyphens, and Cedar rules"]],
    examples: ["lockkeeper policy test ./treasury.policy", "lockkeeper policy test ./a --json"],
    async run(_context, _options, [file = ""]) {
      const source = readPolicy(file)
      const { parsePolicy, PolicyError } = await import("@lockkeeper/policy")
      const { cedar } = await import("@lockkeeper/policy/cedar")
      try {
        const { document, rules } = parsePolicy(cedar, source)
        const { name, version, roles } = document
        const [limits, quorums] = [document.limits, document.quorums].map((all) =>
          all.map((one) => one.name),
        )
        const text = [
          `The policy holds: "${name}", version ${version}.`,
          ...rules.map(({ id, effect, note }) => `  ${effect} ${id}${note ? `: ${note}` : ""}`),
          `Roles: ${listed(roles)}. Limits: ${listed(limits)}. Quorums: ${listed(quorums)}.`,
        ]
        const told = rules.map(({ id, effect }) => ({ id, effect }))
        const json = { valid: true, name, version, rules: told, roles, limits, quorums }
        return report(`${text.join("\n")}\n`, json)
      } catch (error) {
        if (!(error instanceof PolicyError)) throw error
        const { problems } = error
        const text = `Key servers refuse this policy:\n${error.message}\n`
        return report(text, { ok: false, valid: false, problems }, EXIT.verification)
      }
    },
  })

const listed = (names: readonly string[] | undefined): string =>
  names === undefined || names.length === 0 ? "none" : names.join(", ")

function readPolicy(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new LockKeeperError("misconfigured", "The policy file cannot be read.", {
      field: "file",
      remedy: "Give the path of a policy file.",
      cause: error,
    })
  }
}
