import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { cedar } from "../src/cedar.ts"
import { BOUNDS, PolicyError, type PolicyProblem, parsePolicy } from "../src/index.ts"
import { HEADER, plain, RULES, sourceOf, treasury } from "./treasury.ts"

function problemsOf(parse: () => unknown): readonly PolicyProblem[] {
  try {
    parse()
  } catch (error) {
    if (error instanceof PolicyError) return error.problems
    throw error
  }
  return []
}

/** `code where line:column` of each problem. */
const brief = (problems: readonly PolicyProblem[]) =>
  problems.map(({ code, where, line, column }) => `${code} ${where} ${line}:${column}`)

const permit = (id: string, rest = "") =>
  `@id("${id}") permit (principal, action, resource)${rest};`
const when = (condition: string) =>
  `@id("a")\npermit (principal, action == Action::"sign", resource)\nwhen { ${condition} };`

it("the policy that the refusals start from is accepted", () => {
  assert.deepEqual(
    problemsOf(() => treasury()),
    [],
  )
  assert.deepEqual(
    problemsOf(() => plain(permit("a"))),
    [],
  )
})

describe("a header is refused with the field at fault", () => {
  const { limits, quorums } = HEADER
  const limit = (changed: object) => ({
    limits: { ...limits, large: { ...limits.large, ...changed } },
  })
  const window = (changed: object) => ({
    limits: { ...limits, "daily-usdc": { ...limits["daily-usdc"], ...changed } },
  })
  const velocity = (changed: object) => ({
    limits: { ...limits, hourly: { ...limits.hourly, ...changed } },
  })
  const quorum = (changed: object) => ({
    quorums: { ...quorums, compliance: { ...quorums.compliance, ...changed } },
  })
  const many = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`)
  const cases: readonly (readonly [what: string, header: object, code: string, where: string])[] = [
    ["another field", { limit: {} }, "unknown-field", "limit"],
    ["no name", { name: undefined }, "missing-field", "header"],
    ["a name with capitals", { name: "Treasury" }, "bad-name", "name"],
    ["a name that ends with a hyphen", { name: "a-" }, "bad-name", "name"],
    ["a name too long", { name: "a".repeat(65) }, "bad-name", "name"],
    ["a name that is a number", { name: 7 }, "wrong-type", "name"],
    ["version 0", { version: 0 }, "out-of-bounds", "version"],
    ["a version with a fraction", { version: 1.5 }, "out-of-bounds", "version"],
    ["a version as text", { version: "1" }, "wrong-type", "version"],
    ["roles that are none", { roles: "treasurer" }, "wrong-type", "roles"],
    ["a role twice", { roles: ["treasurer", "compliance", "treasurer"] }, "doubled", "roles.2"],
    ["a role with a quote", { roles: ['a"'] }, "bad-name", "roles.0"],
    ["too many roles", { roles: many(BOUNDS.roles + 1) }, "out-of-bounds", "roles"],
    ["limits as a list", { limits: [] }, "wrong-type", "limits"],
    ["a limit's name", { limits: { "a b": limits.large } }, "bad-name", "limits.a b"],
    ["a limit without a kind", limit({ kind: undefined }), "missing-field", "limits.large"],
    ["a limit of another kind", limit({ kind: "max" }), "wrong-type", "limits.large.kind"],
    ["a limit with another field", limit({ per: "key" }), "unknown-field", "limits.large.per"],
    ["an amount that is a number", limit({ most: 500 }), "wrong-type", "limits.large.most"],
    ["an amount with a fraction", limit({ most: "1.5" }), "out-of-bounds", "limits.large.most"],
    ["a negative amount", limit({ most: "-1" }), "out-of-bounds", "limits.large.most"],
    ["an amount in hexadecimal", limit({ most: "0x10" }), "out-of-bounds", "limits.large.most"],
    ["an amount with a zero in front", limit({ most: "05" }), "out-of-bounds", "limits.large.most"],
    ["2^256", limit({ most: String(2n ** 256n) }), "out-of-bounds", "limits.large.most"],
    ["no amount", limit({ most: undefined }), "missing-field", "limits.large"],
    ["an empty asset", limit({ asset: "" }), "bad-name", "limits.large.asset"],
    ["an asset too long", limit({ asset: "a".repeat(257) }), "bad-name", "limits.large.asset"],
    ["a duration in seconds", window({ over: "90s" }), "out-of-bounds", "limits.daily-usdc.over"],
    ["no duration at all", window({ over: "0h" }), "out-of-bounds", "limits.daily-usdc.over"],
    ["more than a year", window({ over: "367d" }), "out-of-bounds", "limits.daily-usdc.over"],
    ["a count per something", window({ per: "day" }), "wrong-type", "limits.daily-usdc.per"],
    ["no requests", velocity({ requests: 0 }), "out-of-bounds", "limits.hourly.requests"],
    [
      "requests that round",
      velocity({ requests: 1e21 }),
      "out-of-bounds",
      "limits.hourly.requests",
    ],
    ["a need of 0", quorum({ need: 0 }), "out-of-bounds", "quorums.compliance.need"],
    ["no members", quorum({ members: undefined }), "missing-field", "quorums.compliance"],
    [
      "a quorum that its people cannot reach",
      quorum({ need: 3, members: [{ person: "ada", weight: 2 }] }),
      "unreachable",
      "quorums.compliance",
    ],
    [
      "a member of an unknown role",
      quorum({ members: [{ role: "complience" }] }),
      "unknown-role",
      "quorums.compliance.members.0.role",
    ],
    [
      "a member that is a role and a person",
      quorum({ members: [{ role: "compliance", person: "ada" }] }),
      "wrong-type",
      "quorums.compliance.members.0",
    ],
    [
      "a member twice",
      quorum({ members: [{ person: "ada" }, { person: "ada", weight: 2 }] }),
      "doubled",
      "quorums.compliance.members.1",
    ],
    [
      "a weight of 0",
      quorum({ members: [{ role: "compliance", weight: 0 }] }),
      "out-of-bounds",
      "quorums.compliance.members.0.weight",
    ],
    [
      "a veto with a weight",
      quorum({ veto: [{ role: "compliance", weight: 1 }] }),
      "unknown-field",
      "quorums.compliance.veto.0.weight",
    ],
    [
      "a word for true",
      quorum({ "requester-may-approve": "yes" }),
      "wrong-type",
      "quorums.compliance.requester-may-approve",
    ],
    [
      "a limit that no rule names",
      { limits: { ...limits, weekly: limits.large } },
      "unused",
      "limits.weekly",
    ],
    [
      "a quorum that no rule names",
      { quorums: { ...quorums, board: quorums.compliance } },
      "unused",
      "quorums.board",
    ],
  ]
  for (const [what, header, code, where] of cases) {
    it(what, () => {
      const problems = problemsOf(() => treasury(header))
      assert.deepEqual(
        problems.map((found) => `${found.code} ${found.where}`),
        [`${code} ${where}`],
      )
    })
  }
})

describe("a file is refused at a line and a column", () => {
  const file = sourceOf()
  const cases: readonly (readonly [what: string, source: string, problems: string[]])[] = [
    ["without a line of hyphens", file.replace("---", "--"), ["no-header file 1:1"]],
    ["a header that is no JSON", "{ name: 1 }\n---\n", ["not-json header 1:3"]],
    ["a name twice", '{ "name": "a",\n "name": "b" }\n---\n', ["not-json header 2:2"]],
    ["an amount", file.replace('"500"', "500"), ["wrong-type limits.large.most 30:15"]],
    ["no rules", sourceOf({ limits: {}, quorums: {} }, "// none\n"), ["no-rules file 12:1"]],
    ["too long", file + " ".repeat(BOUNDS.policyCharacters), ["too-long file 1:1"]],
    [
      "a bidirectional override",
      file.replace("// what", "// \u202ewhat"),
      ["hidden-character file 80:18"],
    ],
    ["a return in a comment", file.replace("// what", "//\rwhat"), ["hidden-character file 80:17"]],
    ["a lone surrogate", file.replace("// what", "// \ud800"), ["hidden-character file 80:18"]],
  ]
  for (const [what, source, problems] of cases) {
    it(what, () => assert.deepEqual(brief(problemsOf(() => parsePolicy(cedar, source))), problems))
  }
})

describe("rules are refused with their id and the position in the file", () => {
  // The header of `plain` takes 11 lines, so that rules begin in line 12.
  const nested = (count: number) => `${"(".repeat(count)}true${")".repeat(count)}`
  const cases: readonly (readonly [what: string, rules: string, problems: string[]])[] = [
    ["no semicolon", permit("a").slice(0, -1), ["syntax rule 1 12:1"]],
    ["a text without an end", when('context.intent.chain == "a'), ["syntax rule 1 14:32"]],
    ["a word that Cedar has not", permit("a", " whn { true }"), ["syntax rule 1 12:47"]],
    [
      "a template",
      '@id("a") permit (principal == ?principal, action, resource);',
      ["syntax rule 1 12:31"],
    ],
    ["no id", "permit (principal, action, resource);", ["no-id rule 1 12:1"]],
    ["an id with capitals", permit("A"), ["no-id rule 1 12:1"]],
    ["an id without text", "@id permit (principal, action, resource);", ["no-id rule 1 12:1"]],
    ["an id twice", `${permit("a")}\n${permit("a")}`, ["doubled rule a 13:1"]],
    ["another annotation", `@quorm("a")\n${permit("a")}`, ["unknown-annotation rule a 12:1"]],
    ["an annotation without text", `@note\n${permit("a")}`, ["bad-annotation rule a 12:1"]],
    ["an unknown limit", `@limit("daily")\n${permit("a")}`, ["unknown-limit rule a 12:1"]],
    ["an empty list of limits", `@limit("")\n${permit("a")}`, ["unknown-limit rule a 12:1"]],
    ["an unknown quorum", `@quorum("all")\n${permit("a")}`, ["unknown-quorum rule a 12:1"]],
    ["an unknown attribute", when("context.intent.chian == 1"), ["schema rule a 14:8"]],
    ["an amount in Cedar", when("context.intent.amount < 5"), ["schema rule a 14:8"]],
    ["what limits compute", when('context.granted.contains("a")'), ["schema rule a 14:8"]],
    ["what quorums compute", when('context.lifted.contains("a")'), ["schema rule a 14:8"]],
    ["another type", when("context.intent.chain == 1"), ["schema rule a 14:8"]],
    ["an unknown role", when('principal in Role::"tresurer"'), ["schema rule a 14:21"]],
    ["an unknown kind", when('principal.kind == Kind::"ownr"'), ["schema rule a 14:26"]],
    ["after letters of two bytes", when('"éé" == context.chian'), ["schema rule a 14:16"]],
    [
      "an unknown action",
      '@id("a") permit (principal, action == Action::"sing", resource);',
      ["schema rule a 12:39"],
    ],
    [
      "an intent of every action",
      permit("a", ' when { context.intent.chain == "a" }'),
      ["schema rule a 12:54"],
    ],
    ["a rule that never applies", when("false"), ["doubtful rule a 12:1"]],
    [
      "a letter of another script",
      when('context.intent.chain == "usdс"'),
      ["doubtful rule a 14:32"],
    ],
    ["17 brackets", when(nested(BOUNDS.ruleNesting)), ["too-nested rule 1 14:23"]],
    [
      "brackets that only close before",
      when(`)) ${nested(BOUNDS.ruleNesting + 1)}`),
      ["too-nested rule 1 14:27"],
    ],
    [
      "too many operators",
      when(`true${" && true".repeat(BOUNDS.ruleOperators)}`),
      ["too-many-operators rule 1 14:1021"],
    ],
    [
      "too long a rule",
      permit("a", ` //${"x".repeat(BOUNDS.ruleCharacters)}\n`),
      ["too-long rule 1 12:1"],
    ],
    [
      "too many rules",
      Array.from({ length: BOUNDS.rules + 1 }, (_, i) => permit(`r${i}`)).join("\n"),
      [`too-many-rules rule ${BOUNDS.rules + 1} ${12 + BOUNDS.rules}:1`],
    ],
    ["too many bytes", `// ${"x".repeat(BOUNDS.rulesBytes)}`, ["too-long file 12:1"]],
  ]
  for (const [what, rules, problems] of cases) {
    it(what, () => assert.deepEqual(brief(problemsOf(() => plain(rules))), problems))
  }

  it("all rules with problems are named at once", () => {
    const problems = problemsOf(() =>
      plain(`permit (principal, action, resource);\n${permit("B")}`),
    )
    assert.deepEqual(brief(problems), ["no-id rule 1 12:1", "no-id rule 2 13:1"])
  })

  it("a message says where and what, for people", () => {
    const [problem] = problemsOf(() => plain(when("context.intent.chian == 1")))
    const message = new PolicyError(problem ? [problem] : []).message
    assert.match(message, /^line 14, column 8: rule a: .*`intent\.chian`.*not found/)
    assert.match(message, /did you mean `chain`/)
  })
})

it("what a rule may hold at the most does not stop Cedar", () => {
  const deep = BOUNDS.ruleNesting - 2
  const chain = (sign: string, each: string) =>
    Array(BOUNDS.ruleOperators / 2 - 8)
      .fill(each)
      .join(sign)
  const nest = (inner: string) => `${"(".repeat(deep)}${inner}${")".repeat(deep)}`
  const conditions = [
    nest(chain(" && ", "context.time.hour").replaceAll("context.time.hour", "true")),
    nest(chain(" + ", "1") + " == 1"),
    `${"if true then true else ".repeat(BOUNDS.ruleOperators - 2)}true`,
    `${"!(".repeat(deep)}${"[".repeat(1)}1].contains(1)${")".repeat(deep)}`,
    `[${Array.from({ length: 1000 }, (_, i) => `"0x${i}"`)}].containsAll(context.intent.to)`,
    `context.time.at == ${nest("- ".repeat(4) + chain(" - - ", "1"))}`,
  ]
  for (const condition of conditions) {
    const problems = problemsOf(() => plain(when(condition)))
    assert.deepEqual(
      problems.filter(({ code }) => code !== "doubtful" && code !== "schema" && code !== "syntax"),
      [],
      condition.slice(0, 60),
    )
  }
  assert.deepEqual(
    problemsOf(() => treasury({}, RULES)),
    [],
    "Cedar goes on",
  )
})
