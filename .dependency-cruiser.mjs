// The layers of docs/architecture.md: a package imports only what its row in the table allows. The
// rules are read from that table, so the page and the check cannot disagree.
import { readFileSync } from "node:fs"
import visitorModule from "@swc/core/Visitor.js"

// swc parses `using` declarations, but the visitor it ships refuses to walk them.
const { Visitor } = visitorModule
const visitStatement = Visitor.prototype.visitStatement
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== "UsingDeclaration") return visitStatement.call(this, statement)
  statement.decls = this.visitVariableDeclarators(statement.decls)
  return statement
}

const page = readFileSync(new URL("docs/architecture.md", import.meta.url), "utf8")

/** Package to the packages its source may import, in the order of the table. */
const rows = new Map()
for (const [, name, allowed] of page.matchAll(/^\| `([a-z]+)` \|.*\| ([^|]+) \|$/gm)) {
  rows.set(name, packagesIn(allowed.trim(), [...rows.keys()]))
}
if (rows.size === 0) throw new Error("docs/architecture.md has no table of packages")

/** Reads a cell: "-", "all above", "all above but NAME, NAME" or a list of names. */
function packagesIn(cell, above) {
  const names = (text) => text.split(", ").map((name) => name.replace(/ \(.*\)$/, ""))
  if (cell === "-") return []
  if (cell === "all above") return above
  if (cell.startsWith("all above but ")) {
    const excluded = names(cell.slice("all above but ".length))
    return above.filter((name) => !excluded.includes(name))
  }
  const unknown = names(cell).filter((name) => !above.includes(name))
  if (unknown.length > 0) throw new Error(`packages table: ${unknown.join(", ")} is no row above`)
  return names(cell)
}

const pure = [...rows.keys()].slice(0, [...rows.keys()].indexOf("api") + 1)
const anyOf = (names) => `(${names.join("|")})`

const layers = [...rows].map(([name, allowed]) => ({
  name: `layer-${name}`,
  comment: `packages/${name} may import ${allowed.join(", ") || "no other package"}.`,
  severity: "error",
  from: { path: `^packages/${name}/src/` },
  to: { path: "^packages/", pathNot: `^packages/${anyOf([name, ...allowed])}/` },
}))

export default {
  forbidden: [
    ...layers,
    {
      name: "package-without-a-row",
      comment: "Every package has its row in the table above.",
      severity: "error",
      from: { path: "^packages/", pathNot: `^packages/${anyOf([...rows.keys()])}/` },
      to: {},
    },
    {
      name: "through-the-front-door",
      comment: "Another package is imported by its name, never by a path into its source.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { path: "^packages/", pathNot: "^packages/$1/", dependencyTypes: ["local"] },
    },
    {
      name: "source-does-not-import-tests",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { path: "^(packages/[^/]+/test|scripts|bench)/" },
    },
    {
      name: "adapters-stand-alone",
      comment: "An adapter implements a port; it knows no other adapter.",
      severity: "error",
      from: { path: "^packages/server/src/adapters/([^/.]+)" },
      to: {
        path: "^packages/server/src/adapters/",
        pathNot: "^packages/server/src/adapters/$1[/.-]",
      },
    },
    {
      name: "ports-know-no-adapter",
      comment: "Ports and operations speak to interfaces; only the composition names an adapter.",
      severity: "error",
      from: { path: "^packages/server/src/(ports|operations)/" },
      to: { path: "^packages/server/src/adapters/" },
    },
    {
      name: "pure-packages-do-no-io",
      severity: "error",
      from: {
        path: `^packages/${anyOf(pure)}/src/`,
        pathNot: "^packages/crypto/src/backends/[^/]+-node\\.ts$",
      },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "no-cycles",
      comment: "Types may refer to each other across files; code may not.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "resolvable",
      comment:
        "A command's file in bin/ imports what the build makes of it, which need not be there.",
      severity: "error",
      from: { pathNot: "^packages/[^/]+/bin/" },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // TypeScript 7 has no JavaScript API yet, so swc parses; it sees type imports as well.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^packages/[^/]+/dist/" },
    enhancedResolveOptions: {
      conditionNames: ["lockkeeper-source", "node", "import", "default"],
      exportsFields: ["exports"],
    },
  },
}
