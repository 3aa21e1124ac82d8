import assert from "node:assert/strict"
import { test } from "node:test"
import { comparePage, inspectLock, readRows } from "../checks/dependencies.ts"
import { extract } from "../checks/examples.ts"
import { emptyName, inspect } from "../checks/shape.ts"
import { readMatrix } from "../checks/threat-model.ts"
import { productionTree } from "../lockfile.ts"

const lock = {
  "": {},
  "node_modules/@lockkeeper/app": { link: true, resolved: "packages/app" },
  "packages/app": { dependencies: { left: "1.0.0", "@lockkeeper/lib": "0.1.0" } },
  "node_modules/@lockkeeper/lib": { link: true, resolved: "packages/lib" },
  "packages/lib": { dependencies: { right: "2.0.0" } },
  "packages/lib/node_modules/right": { version: "2.0.0", license: "ISC" },
  "node_modules/left": {
    version: "1.0.0",
    license: "MIT",
    dependencies: { deep: "^3.0.0" },
    peerDependencies: { peer: "*", absent: "*" },
    peerDependenciesMeta: { absent: { optional: true } },
  },
  "node_modules/deep": { version: "3.1.0", license: "MIT" },
  "node_modules/peer": { version: "1.0.0", license: "MIT" },
  "node_modules/absent": { version: "1.0.0", license: "MIT" },
  "node_modules/right": { version: "1.0.0", license: "MIT" },
}
const shipped = productionTree(lock, "packages/app")
const rest = "why | this | who | none | high | nothing"
const goodPage = [
  "| package | version | brings | licence | for | why | who | audits | confidence | without |",
  "|---|---|---|---|---|---|---|---|---|---|",
  `| \`left\` | 1.0.0 | \`deep\`, \`peer\` | MIT | ${rest} |`,
  `| \`right\` | 2.0.0 | - | ISC | ${rest} |`,
].join("\n")

test("the production tree follows workspaces, nested copies and required peers only", () => {
  assert.deepEqual([...shipped].sort(), [
    "node_modules/deep",
    "node_modules/left",
    "node_modules/peer",
    "packages/lib/node_modules/right",
  ])
})

test("a dependencies page that names the whole tree has no problem", () => {
  assert.equal(readRows(goodPage).length, 2)
  assert.deepEqual(comparePage(goodPage, lock, shipped), [])
})

for (const [what, from, to, problem] of [
  ["a missing row", "`right`", "`deep`", "no row for right"],
  ["a wrong version", "| 1.0.0", "| 1.0.1", "left is locked at 1.0.0"],
  ["a wrong licence", "| ISC", "| MIT", "right has the licence ISC"],
  ["a package that is not shipped", "`peer`", "`absent`", "left does not bring absent"],
  ["an unexplained package", "`deep`, ", "", "no row for deep"],
  ["an empty cell", "| none |", "|  |", "needs 10 cells, none empty"],
] as const) {
  test(`a dependencies page with ${what} is refused`, () => {
    const problems = comparePage(goodPage.replace(from, to), lock, shipped)
    assert.ok(problems.join("\n").includes(problem), problems.join("\n"))
  })
}

test("an install script and a registry host in the lockfile are refused", () => {
  const changed = {
    "node_modules/left": { hasInstallScript: true, resolved: "https://registry.example/left.tgz" },
  }
  const problems = inspectLock(changed, new Set(["node_modules/left"]))
  assert.equal(problems.length, 2)
})

test("a lockfile without an optional package that one of its entries names is refused", () => {
  const incomplete = { "node_modules/left": { optionalDependencies: { "left-linux": "1.0.0" } } }
  assert.match(inspectLock(incomplete, new Set()).join(), /lacks left-linux/)
  const complete = { ...incomplete, "node_modules/left-linux": { version: "1.0.0" } }
  assert.deepEqual(inspectLock(complete, new Set()), [])
})

test("only marked blocks are examples, each with its page and line", () => {
  const text = ["# Page", "```ts run", "run()", "```", "```ts", "no()", "```", "```ts check", "```"]
  assert.deepEqual(
    extract("a.md", text.join("\n")).map(({ line, run }) => ({ line, run })),
    [
      { line: 2, run: true },
      { line: 8, run: false },
    ],
  )
})

test("names that say nothing are refused, and words that merely contain them are not", () => {
  for (const path of ["src/utils.ts", "src/helpers/a.ts", "src/common/a.ts", "a/manager.test.ts"])
    assert.notEqual(emptyName(path), null, path)
  for (const path of ["src/utility-bill.ts", "src/uncommon.ts"]) assert.equal(emptyName(path), null)
})

test("a file over 600 lines and a task note without its issue are refused", () => {
  assert.equal(inspect("a.ts", "x\n".repeat(600)).problems.length, 0)
  assert.equal(inspect("a.ts", "x\n".repeat(601)).problems.length, 1)
  assert.equal(inspect("a.ts", "x\n".repeat(401)).notes.length, 1)
  assert.equal(inspect("a.ts", `// ${"TO"}${"DO"}: later\n`).problems.length, 1)
  assert.equal(inspect("a.ts", `// ${"TO"}${"DO"}(#4): later\n`).problems.length, 0)
})

const matrix = (cell: string) => `| id | threat | test |\n|---|---|---|\n| T1 | theft | ${cell} |\n`
const read = (path: string) => (path === "a/b.test.ts" ? 'test("holds", () => {})' : null)

test("a row of the threat model names an existing test or says not yet", () => {
  assert.deepEqual(readMatrix(matrix('`a/b.test.ts`: "holds"'), read).problems, [])
  assert.deepEqual(readMatrix(matrix("not yet: #7"), read).problems, [])
})

for (const cell of ['a/b.test.ts: "breaks"', 'a/c.test.ts: "holds"', "soon", ""]) {
  test(`a row of the threat model that says "${cell}" is refused`, () => {
    assert.equal(readMatrix(matrix(cell), read).problems.length > 0, true)
  })
}

test("a threat model without a row is refused", () => {
  assert.equal(readMatrix("# Threats\n", read).problems.length, 1)
})
