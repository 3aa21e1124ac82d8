import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { ERROR_CODES, LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import type { Command } from "commander"
import { EXIT, EXIT_MEANINGS, exitCodeOf } from "../src/exit-codes.ts"
import { asLockKeeperError, describeError } from "../src/failure.ts"
import { buildProgram, run } from "../src/program.ts"
import { custodial } from "./local-owner.ts"
import {
  LocalOwner,
  localKeeper,
  onlyLine,
  temporaryDirectory,
  testHost,
  writeSecret,
} from "./support.ts"

function everyCommand(program: Command, path = ""): [string, Command][] {
  return program.commands
    .filter((command) => command.name() !== "help")
    .flatMap((command) => {
      const name = `${path} ${command.name()}`.trim()
      return command.commands.length > 0
        ? everyCommand(command, name)
        : [[name, command] as [string, Command]]
    })
}

const COMMANDS = everyCommand(buildProgram(testHost({}), () => undefined)).map(([name]) => name)

/** An environment with a profile of its own, a name and a password, and no agent. */
function scripted(home: string, password = "correct horse") {
  const passwordFile = writeSecret(home, "password", `${password}\n`)
  return { LK_HOME: home, LK_NAME: "ada", LK_PASSWORD_FILE: passwordFile, LK_AGENT: "off" }
}

describe("exit codes", () => {
  test("exist for every error code, and each has a meaning", () => {
    const meant = new Set<number>(EXIT_MEANINGS.map(([code]) => code))
    for (const code of ERROR_CODES) assert.ok(meant.has(exitCodeOf(code)), code)
    assert.deepEqual(meant, new Set<number>(Object.values(EXIT)))
    assert.equal(EXIT_MEANINGS.length, meant.size)
  })

  test("keep the numbers that scripts rely on", () => {
    assert.deepEqual(EXIT, {
      ok: 0,
      internal: 1,
      usage: 2,
      authentication: 3,
      permission: 4,
      notFound: 5,
      conflict: 6,
      servers: 7,
      trust: 8,
      configuration: 9,
      verification: 10,
      cancelled: 130,
    })
  })
})

describe("an error", () => {
  test("says what happened, where, how many guesses are left and what to do", () => {
    const details = { field: "password", server: 2, guessesRemaining: 1, remedy: "Try again." }
    const text = describeError(new LockKeeperError("wrong-password", "It is wrong.", details))
    assert.equal(
      text,
      "error: It is wrong.\nserver: 2\nfield: password\n" +
        "1 guess left before the account locks.\nwhat to do: Try again.\n",
    )
  })

  test("of the system gets words, and an unknown one is our fault", () => {
    const system = (code: string) => Object.assign(new Error(code), { code, path: "/x" })
    assert.equal(asLockKeeperError(system("ENOENT")).code, "not-found")
    assert.equal(asLockKeeperError(system("EACCES")).code, "misconfigured")
    assert.equal(asLockKeeperError(system("EACCES")).field, "/x")
    assert.equal(asLockKeeperError(new Error("what?")).code, "internal")
    assert.equal(asLockKeeperError("text").code, "internal")
  })
})

describe("the command line", () => {
  test("has help with an example for every command", async () => {
    assert.ok(COMMANDS.length >= 15, `${COMMANDS.length} commands`)
    for (const name of COMMANDS) {
      const host = testHost({})
      assert.equal(await run([...name.split(" "), "--help"], host), EXIT.ok)
      assert.match(host.out.text, /Examples:\n {2}\$ .*lockkeeper/, name)
      assert.match(host.out.text, /--json/, name)
    }
  })

  test("lists exit codes and variables in its help", async () => {
    const host = testHost({})
    assert.equal(await run(["--help"], host), EXIT.ok)
    for (const [, meaning] of EXIT_MEANINGS) assert.ok(host.out.text.includes(meaning), meaning)
    assert.match(host.out.text, /LK_PASSWORD_FILE/)
  })

  test("never takes a password as an argument", async () => {
    for (const [name, command] of everyCommand(buildProgram(testHost({}), () => undefined))) {
      const flags = command.options.map((option) => option.long)
      assert.ok(!flags.some((flag) => flag?.includes("password")), name)
    }
    const host = testHost({})
    assert.equal(await run(["login", "--password", "x"], host), EXIT.usage)
  })

  test("ends with 2 on unknown commands, options, choices and missing values", async () => {
    const lines = [
      ["frobnicate"],
      ["keys", "list", "--frobnicate"],
      ["keys", "create"],
      ["keys", "create", "--type", "rsa"],
      ["keys", "show"],
      ["sign", "a", "--message", "m", "--hex", "00"],
    ]
    for (const line of lines) {
      const host = testHost({})
      assert.equal(await run(line, host), EXIT.usage, line.join(" "))
      assert.equal(host.out.text, "")
      assert.match(host.err.text, /error: /)
      const json = testHost({})
      assert.equal(await run([...line, "--json"], json), EXIT.usage)
      const { ok, error } = onlyLine(json) as { ok: boolean; error: { code: string } }
      assert.equal(ok, false)
      assert.equal(error.code, "invalid-request")
    }
  })

  test("reports a refusal as one JSON line with --json, as text on stderr without", async (t) => {
    const home = temporaryDirectory(t)
    const environment = scripted(home, "wrong horse")
    const keeper = localKeeper(new LocalOwner(), "correct horse")
    const json = testHost({ environment, keeper })
    assert.equal(await run(["keys", "list", "--json"], json), EXIT.authentication)
    assert.deepEqual(onlyLine(json), {
      ok: false,
      error: {
        code: "wrong-password",
        message: "The password is wrong.",
        field: "",
        server: 0,
        remedy: "Try again.",
        guessesRemaining: 9,
        retry: "never",
      },
    })
    const text = testHost({ environment, keeper })
    assert.equal(await run(["keys", "list"], text), EXIT.authentication)
    assert.equal(text.out.text, "")
    assert.match(text.err.text, /9 guesses left/)
  })

  test("takes LK_JSON for --json", async (t) => {
    const host = testHost({ environment: { LK_HOME: temporaryDirectory(t), LK_JSON: "1" } })
    assert.equal(await run(["logout"], host), EXIT.ok)
    assert.deepEqual(onlyLine(host), { ok: true, wasLoggedIn: false })
  })

  test("refuses a wrong configuration before it does anything", async (t) => {
    const home = temporaryDirectory(t)
    writeFileSync(join(home, "config.json"), `{"unknown":1}`)
    const host = testHost({ environment: { LK_HOME: home } })
    assert.equal(await run(["logout"], host), EXIT.configuration)
    assert.match(host.err.text, /unknown/)
  })
})

describe("commands of an owner", () => {
  test("need a login, or --no-agent", async (t) => {
    const host = testHost({ environment: { LK_HOME: temporaryDirectory(t) } })
    assert.equal(await run(["keys", "list"], host), EXIT.authentication)
    assert.match(host.err.text, /lockkeeper login/)
  })

  test("ask nobody when there is no terminal, and name the variable instead", async (t) => {
    const environment = { LK_HOME: temporaryDirectory(t), LK_NAME: "ada" }
    const keeper = localKeeper(new LocalOwner(), "x")
    for (const line of [["login"], ["register"], ["keys", "list", "--no-agent"]]) {
      const host = testHost({ environment, keeper })
      assert.equal(await run(line, host), EXIT.usage, line.join(" "))
      assert.match(host.err.text, /LK_PASSWORD_FILE/)
    }
    const nameless = testHost({ environment: { LK_HOME: temporaryDirectory(t) }, keeper })
    assert.equal(await run(["login"], nameless), EXIT.usage)
    assert.match(nameless.err.text, /--name/)
  })

  test("refuse a password file that others can read", async (t) => {
    const home = temporaryDirectory(t)
    const environment = scripted(home)
    environment.LK_PASSWORD_FILE = writeSecret(home, "open", "correct horse", 0o644)
    const host = testHost({ environment, keeper: localKeeper(new LocalOwner(), "correct horse") })
    assert.equal(await run(["login"], host), EXIT.configuration)
    assert.match(host.err.text, /chmod 600/)
  })

  test("refuse a new password that is too short", async (t) => {
    const home = temporaryDirectory(t)
    const host = testHost({
      environment: scripted(home, "short"),
      keeper: localKeeper(new LocalOwner(), "short"),
    })
    assert.equal(await run(["register"], host), EXIT.usage)
    assert.match(host.err.text, /shorter than 8/)
  })

  test("create, list, show by label or prefix, sign, and verify offline", async (t) => {
    const home = temporaryDirectory(t)
    const owner = new LocalOwner()
    const options = { environment: scripted(home), keeper: localKeeper(owner, "correct horse") }
    const json = async (line: string[], input?: string) => {
      const host = testHost(input === undefined ? options : { ...options, input })
      assert.equal(await run([...line, "--json"], host), EXIT.ok, host.out.text)
      return onlyLine(host)
    }
    const create = ["keys", "create", "--type", "ed25519", "--label", "savings"]
    const { key } = (await json(create)) as { key: { keyId: string; publicKey: string } }
    assert.equal(((await json(["keys", "list"]))["keys"] as unknown[]).length, 1)
    assert.deepEqual((await json(["keys", "show", "savings"]))["key"], key)
    assert.deepEqual((await json(["keys", "show", key.keyId.slice(0, 12)]))["key"], key)
    assert.deepEqual((await json(["keys", "show", key.keyId]))["key"], key)
    const signed = await json(["sign", "savings", "--message", "hello"])
    assert.deepEqual(signed["signers"], [1, 3])
    assert.deepEqual(await json(["sign", "savings", "--file", "-"], "hello"), signed)
    assert.deepEqual(await json(["sign", "savings", "--hex", "68656c6c6f"]), signed)
    const check = ["verify", "--type", "ed25519", "--public-key", key.publicKey]
    const with_ = ["--signature", String(signed["signature"]), "--message"]
    assert.deepEqual(await json([...check, ...with_, "hello"]), { ok: true, valid: true })
    const host = testHost(options)
    assert.equal(await run([...check, ...with_, "hullo", "--json"], host), EXIT.verification)
    assert.deepEqual(onlyLine(host), { ok: false, valid: false })
    assert.equal(owner.ended, 8, "each command without an agent ends its own session")
  })

  test("refuse keys that do not exist or are ambiguous", async (t) => {
    const owner = new LocalOwner()
    await owner.createKey(custodial("ed25519", "twin"))
    await owner.createKey(custodial("ed25519", "twin"))
    const environment = scripted(temporaryDirectory(t))
    const options = { environment, keeper: localKeeper(owner, "correct horse") }
    assert.equal(await run(["keys", "show", "none"], testHost(options)), EXIT.notFound)
    assert.equal(await run(["keys", "show", "twin"], testHost(options)), EXIT.usage)
    const id = toHex(owner.keys[0]?.keyId ?? new Uint8Array(0))
    assert.equal(await run(["keys", "show", id], testHost(options)), EXIT.ok)
    assert.equal(await run(["keys", "show", "f".repeat(64)], testHost(options)), EXIT.notFound)
  })

  test("refuse messages that do not fit the key", async (t) => {
    const owner = new LocalOwner()
    await owner.createKey(custodial("bip340", "taproot"))
    await owner.createKey(custodial("ed25519", "solana"))
    const environment = scripted(temporaryDirectory(t))
    const options = { environment, keeper: localKeeper(owner, "correct horse") }
    for (const [line, words] of [
      [["sign", "taproot", "--message", "hello"], /32-byte sighash/],
      [["sign", "solana", "--message", "hello", "--taproot"], /Only bip340/],
      [["sign", "solana", "--hex", "0"], /hexadecimal/],
      [["sign", "solana", "--message", "x".repeat(70_000)], /longer than/],
      [["sign", "solana"], /No message/],
      [["sign", "taproot", "--hex", "00".repeat(32), "--merkle-root", "00"], /32 bytes/],
    ] as const) {
      const host = testHost(options)
      assert.equal(await run([...line], host), EXIT.usage, line.slice(0, 2).join(" "))
      assert.match(host.err.text, words)
    }
  })
})

describe("health", () => {
  test("fails when fewer servers than the threshold are ready", async (t) => {
    const environment = scripted(temporaryDirectory(t))
    for (const [ready, code] of [
      [3, EXIT.ok],
      [2, EXIT.ok],
      [1, EXIT.servers],
    ] as const) {
      const keeper = localKeeper(new LocalOwner(), "x", ready)
      const host = testHost({ environment, keeper })
      assert.equal(await run(["health", "--json"], host), code)
      const line = onlyLine(host)
      assert.deepEqual(
        { ok: line["ok"], ready: line["ready"], threshold: line["threshold"] },
        { ok: ready >= 2, ready, threshold: 2 },
      )
    }
  })
})

describe("doctor", () => {
  test("finds a missing roster, a misspelt variable and unreachable servers", async (t) => {
    const environment = { LK_HOME: temporaryDirectory(t), LK_ROOSTER: "x" }
    const host = testHost({ environment })
    assert.equal(await run(["doctor", "--json"], host), EXIT.verification)
    const { findings } = onlyLine(host) as { findings: { check: string; level: string }[] }
    const level = (name: string) => findings.find(({ check }) => check === name)?.level
    assert.equal(level("runtime"), "ok")
    assert.equal(level("variables"), "warning")
    assert.equal(level("profile"), "ok")
    assert.equal(level("roster"), "problem")
    assert.equal(level("agent"), "ok")
    assert.equal(level("servers"), "problem")
  })
})

describe("completion", () => {
  test("for bash completes commands, subcommands and options", async () => {
    const host = testHost({})
    assert.equal(await run(["completion", "bash"], host), EXIT.ok)
    const complete = (...words: string[]) => {
      const quoted = ["lockkeeper", ...words].map((word) => `'${word}'`).join(" ")
      const script = `${host.out.text}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length}
_lockkeeper; printf '%s\\n' "\${COMPREPLY[@]}"`
      const bash = execFileSync("bash", ["--norc", "-c", script], { encoding: "utf8" })
      return bash.trim().split("\n")
    }
    assert.deepEqual(complete("ke"), ["keys"])
    assert.deepEqual(complete("keys", "sh"), ["show"])
    assert.deepEqual(complete("keys", "create", "--ty"), ["--type"])
    assert.deepEqual(complete("--json", "keys", "li"), ["list"])
  })

  test("exists for every shell it offers", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const host = testHost({})
      assert.equal(await run(["completion", shell], host), EXIT.ok)
      assert.match(host.out.text, /lockkeeper/)
    }
    assert.equal(await run(["completion", "tcsh"], testHost({})), EXIT.usage)
  })
})
