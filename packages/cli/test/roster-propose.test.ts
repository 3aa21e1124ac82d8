import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, type TestContext, test } from "node:test"
import {
  decodeRoster,
  extendChain,
  type Roster,
  rosterDigest,
  type SignedRoster,
} from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import {
  chainOfThree,
  memberNamed,
  rosterOf,
  signedByNames,
  writeChain,
  writeDescriptorOf,
} from "./rosters.ts"
import { onlyLine, temporaryDirectory, testHost } from "./support.ts"

/** A convenor with the roster in force and nothing else. */
class Convenor {
  readonly directory: string
  readonly roster: string
  readonly out: string

  constructor(t: TestContext, chain = chainOfThree()) {
    this.directory = temporaryDirectory(t)
    this.roster = writeChain(join(this.directory, "roster.lk"), chain)
    this.out = join(this.directory, "roster.unsigned")
  }

  descriptor(name: string, keys = name): string {
    return writeDescriptorOf(join(this.directory, `${name}.json`), name, keys)
  }

  async propose(args: readonly string[], expected: number = EXIT.ok) {
    const line = [
      "roster",
      "propose",
      "--roster",
      this.roster,
      "--out",
      this.out,
      ...args,
      "--json",
    ]
    const host = testHost({ environment: { LK_HOME: this.directory } })
    const code = await run(line, host)
    const json = onlyLine(host)
    assert.equal(code, expected, JSON.stringify(json))
    return json
  }

  proposed(): Roster {
    return decodeRoster(new Uint8Array(readFileSync(this.out)))
  }

  async refused(args: readonly string[], expected: number) {
    const { error } = await this.propose(args, expected)
    assert.equal(existsSync(this.out), false, "nothing is written")
    return error as { code: string; field: string; message: string; remedy: string }
  }
}

describe("lockkeeper roster propose", () => {
  test("makes the next roster, with what changes and what it takes", async (t) => {
    const convenor = new Convenor(t)
    const delta = convenor.descriptor("delta")
    const json = await convenor.propose(["--add", delta, "--drop", "gamma"])
    const roster = convenor.proposed()
    assert.deepEqual(
      roster.members.map(({ identifier, name }) => [identifier, name]),
      [
        [1, "alpha"],
        [2, "beta"],
        [4, "delta"],
      ],
    )
    const [first] = chainOfThree() as [SignedRoster]
    assert.deepEqual([roster.rosterEpoch, roster.minSigners], [2, 2])
    assert.deepEqual(roster.previousDigest, rosterDigest(first.roster))
    assert.equal(json["digest"], toHex(rosterDigest(new Uint8Array(readFileSync(convenor.out)))))
    assert.deepEqual(json["consents"], ["alpha", "beta", "gamma"])
    assert.deepEqual([json["consentsNeeded"], json["resharing"]], [2, true])
    const [added, removed] = json["changes"] as string[]
    assert.match(added ?? "", /^added: server 4 "delta" at https:\/\/delta.example:7443/)
    assert.match(removed ?? "", /^removed: server 3 "gamma"/)
  })

  test("keeps a server that leaves until its shares have moved, and says so", async (t) => {
    const convenor = new Convenor(t)
    const delta = convenor.descriptor("delta")
    const json = await convenor.propose(["--add", delta, "--remove", "gamma"])
    const roster = convenor.proposed()
    assert.deepEqual(roster.transition, { leaving: [3], minSignersBefore: 2 })
    assert.deepEqual(
      roster.members.map(({ name }) => name),
      ["alpha", "beta", "gamma", "delta"],
    )
    const [, leaves] = json["changes"] as string[]
    assert.equal(leaves, 'leaves when its shares have moved: server 3 "gamma"')
    assert.equal(json["resharing"], true)
  })

  test("moves a server, and changes rules, threshold and schedule, without other holders", async (t) => {
    const convenor = new Convenor(t)
    const place = ["--move", "beta", "--url", "https://beta.example.net:1", "--cloud", "other"]
    const rules = ["--distinct-clouds", "--refresh-hours", "168", "--cryptoperiod-days", "730"]
    const { resharing, changes } = await convenor.propose([...place, ...rules])
    assert.equal(resharing, false)
    assert.deepEqual(changes, [
      'moved: server 2 "beta", url "https://beta.example:7443" becomes ' +
        '"https://beta.example.net:1", cloud "beta cloud" becomes "other"',
      "demanded from now on: signer sets of distinct clouds",
      "refresh: never before, every 168 hours now",
      "cryptoperiod: none before, 730 days now",
    ])
    const { refreshHours, cryptoperiodDays, placement } = convenor.proposed()
    assert.deepEqual([refreshHours, cryptoperiodDays, placement.distinctClouds], [168, 730, true])
  })

  test("drops a rule that was demanded", async (t) => {
    const placement = {
      distinctOperators: true,
      distinctClouds: true,
      distinctJurisdictions: false,
    }
    const convenor = new Convenor(t, chainOfThree({ placement }))
    const { changes } = await convenor.propose(["--no-distinct-clouds"])
    assert.deepEqual(changes, ["no longer demanded: signer sets of distinct clouds"])
  })

  test("keeps the number of a server that is replaced, whose old signature then has no place", async (t) => {
    const convenor = new Convenor(t)
    const other = convenor.descriptor("beta", "beta made anew")
    const json = await convenor.propose(["--replace", `beta=${other}`])
    assert.deepEqual(json["consents"], ["alpha", "gamma"])
    assert.match(String((json["changes"] as string[])[0]), /^replaced: server 2 "beta", new keys/)
    assert.deepEqual(
      convenor.proposed().members.map(({ identifier }) => identifier),
      [1, 2, 3],
    )
  })

  test("gives a server that comes back its own number, and no number twice", async (t) => {
    const before = chainOfThree()
    const members = [memberNamed(1, "alpha"), memberNamed(2, "beta"), memberNamed(4, "delta")]
    const previousDigest = rosterDigest((before[0] as SignedRoster).roster)
    const next = rosterOf(members, { rosterEpoch: 2, previousDigest })
    const chain = extendChain(before, signedByNames(next, { 1: "alpha", 2: "beta", 4: "delta" }))
    const convenor = new Convenor(t, chain)
    const [gamma, epsilon] = [convenor.descriptor("gamma"), convenor.descriptor("epsilon")]
    await convenor.propose(["--add", epsilon, "--add", gamma, "--drop", "delta"])
    assert.deepEqual(
      convenor.proposed().members.map(({ identifier, name }) => [identifier, name]),
      [
        [1, "alpha"],
        [2, "beta"],
        [3, "gamma"],
        [5, "epsilon"],
      ],
    )
  })

  test("writes nothing with --dry-run", async (t) => {
    const convenor = new Convenor(t)
    const json = await convenor.propose(["--threshold", "3", "--dry-run"])
    assert.deepEqual([json["out"], existsSync(convenor.out)], [null, false])
    assert.deepEqual(json["changes"], ["threshold: 2 before, 3 now"])
  })

  const cases: readonly [string, readonly string[], number, string, RegExp][] = [
    ["that changes nothing", [], EXIT.conflict, "arguments", /would stay as it is/],
    ["without a server it has", ["--remove", "zeta"], EXIT.notFound, "remove", /no server "zeta"/],
    [
      "dropping one that is not there",
      ["--drop", "zeta"],
      EXIT.notFound,
      "drop",
      /no server "zeta"/,
    ],
    ["to move nobody", ["--url", "https://x:1"], EXIT.usage, "move", /--move goes with/],
    ["to move nowhere", ["--move", "beta"], EXIT.usage, "move", /--move goes with/],
    ["to replace by nothing", ["--replace", "beta"], EXIT.usage, "replace", /not a name and/],
    [
      "with half a threshold",
      ["--threshold", "1.5"],
      EXIT.usage,
      "threshold",
      /whole number from 1/,
    ],
    [
      "with a threshold above its servers",
      ["--threshold", "4"],
      EXIT.configuration,
      "minSigners",
      /threshold is 4/,
    ],
    [
      "with a schedule below zero",
      ["--refresh-hours", "-1"],
      EXIT.usage,
      "refresh-hours",
      /from 0/,
    ],
    [
      "whose rules leave no signer set",
      [
        "--move",
        "beta",
        "--operator",
        "alpha operator",
        "--remove",
        "gamma",
        "--distinct-operators",
      ],
      EXIT.configuration,
      "placement",
      /No 2 servers may sign together: too many share the same operator/,
    ],
  ]
  for (const [what, args, exit, field, message] of cases) {
    test(`refuses one ${what}`, async (t) => {
      const error = await new Convenor(t).refused(args, exit)
      assert.equal(error.field, field)
      assert.match(error.message, message)
      assert.notEqual(error.remedy, "")
    })
  }

  test("refuses to replace so many that too few could sign, and a server that is there", async (t) => {
    const convenor = new Convenor(t)
    const [x, y] = [convenor.descriptor("xi"), convenor.descriptor("ypsilon")]
    const both = ["--replace", `alpha=${x}`, "--replace", `beta=${y}`]
    const few = await convenor.refused(both, EXIT.conflict)
    assert.equal(few.field, "replace")
    assert.match(few.message, /It takes 2 signatures of members before; those of 1 would count/)
    const twice = await convenor.refused(["--add", convenor.descriptor("beta")], EXIT.configuration)
    assert.match(twice.field, /^members\.beta\./)
  })
})
