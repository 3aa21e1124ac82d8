import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { OPERATION_ROLES, OPERATIONS, ROLES, type Role } from "@lockkeeper/api"

const PAGE = new URL("../README.md", import.meta.url)

/** The table of roles and operations as its page has it. */
function table(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`
  const rows = OPERATIONS.map((operation) => {
    const roles: readonly Role[] = OPERATION_ROLES[operation]
    return row([`\`${operation}\``, ...ROLES.map((role) => (roles.includes(role) ? "yes" : ""))])
  })
  return [row(["operation", ...ROLES]), row(["---", ...ROLES.map(() => "---")]), ...rows].join("\n")
}

test("the README has the table of who may ask for what, as the code does", () => {
  const wanted = table()
  assert.ok(readFileSync(PAGE, "utf8").includes(`\n${wanted}\n`), `it has to be:\n${wanted}`)
})
