import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"

/** The compiler as npm has it; it is fetched to compile and is no dependency of anything. */
const COMPILER = "0.8.37"

const SETTINGS = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 200 },
  // Without the metadata's hash the same source gives the same bytecode wherever it lies.
  metadata: { appendCBOR: false },
  outputSelection: { "Token.sol": { Token: ["abi", "evm.bytecode.object"] } },
}

/** Compiles Token.sol and writes Token.json; with --check only compares with what is there. */
function main(): number {
  const source = readFileSync(new URL("../contracts/Token.sol", import.meta.url), "utf8")
  const input = {
    language: "Solidity",
    sources: { "Token.sol": { content: source } },
    settings: SETTINGS,
  }
  const printed = execFileSync("npx", ["--yes", `solc@${COMPILER}`, "--standard-json"], {
    input: JSON.stringify(input),
    encoding: "utf8",
  })
  // The command says something about itself before the JSON.
  const output = JSON.parse(printed.slice(printed.indexOf("{")))
  if (output.errors !== undefined) throw new Error(JSON.stringify(output.errors, null, 2))
  const { abi, evm } = output.contracts["Token.sol"].Token
  const { evmVersion, optimizer, metadata } = SETTINGS
  const compiled = {
    compiler: `solc ${COMPILER}`,
    settings: { evmVersion, optimizer, metadata },
    sourceSha256: createHash("sha256").update(source).digest("hex"),
    abi,
    bytecode: `0x${evm.bytecode.object}`,
  }
  const file = new URL("../contracts/Token.json", import.meta.url)
  const text = `${JSON.stringify(compiled, null, 2)}\n`
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text)
    return 0
  }
  const same = JSON.stringify(JSON.parse(readFileSync(file, "utf8"))) === JSON.stringify(compiled)
  process.stdout.write(same ? "Token.json is of Token.sol.\n" : "Token.json is NOT of Token.sol.\n")
  return same ? 0 : 1
}

process.exitCode = main()
