import { LockKeeperError } from "@lockkeeper/api"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { formatChildPath } from "@lockkeeper/protocols"
import { addressFormat, addressOf } from "../addresses.ts"
import { childPathArgument, PATH_OPTION } from "../child-path.ts"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import { checkNewFile, writeNewFile } from "../output-file.ts"
import type { ChildView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, table } from "../text.ts"
import type { SignedTransaction } from "../transactions/sign.ts"
import { FORMATS, type Format, formatOf, readUnsigned } from "../transactions/unsigned.ts"

interface Options {
  readonly path: string
  readonly format?: Format
  readonly input?: string
  readonly out?: string
}

/** `lockkeeper sign-tx KEY FILE`: an unsigned transaction in, one that can be broadcast out. */
export const addSignTx: AddCommands = (add) =>
  add<Options>({
    usage: "sign-tx",
    summary: "Sign a transaction; each server reads the whole of it",
    arguments: [
      ["<key>", "id, first digits of it, or label"],
      ["<file>", "the unsigned transaction, - for standard input: binary, hexadecimal or base64"],
    ],
    options: [
      PATH_OPTION,
      option("--format <format>", "default: seen from the key and the bytes").choices(FORMATS),
      option("--input <number>", "psbt: only this input, counted from 0"),
      option("--out <path>", "write the signed transaction to this file"),
    ],
    examples: [
      "lockkeeper sign-tx spending transfer.hex --out signed.hex",
      "lockkeeper sign-tx spending payment.psbt --path m/0/5",
      "cat transfer.base64 | lockkeeper sign-tx savings -   # Solana",
    ],
    run: signTx,
  })

async function signTx(
  context: Context,
  options: Options,
  [named = "", file = ""]: readonly string[],
): Promise<Report> {
  const { terminal, signal } = context
  const path = childPathArgument(options.path)
  const bytes = await readUnsigned(file, terminal.input)
  if (options.out !== undefined) checkNewFile(options.out, "out")
  // Loaded by those who need it: other commands start sooner.
  const { signTransaction } = await import("../transactions/sign.ts")
  return await withOwner(context, async (session) => {
    const { format, child, signed } = await withProgress(terminal, "Signing", async () => {
      const key = await findKey(session, named, signal)
      const format = formatOf(bytes, key.keyType, options.format ?? null)
      const input = inputOf(options.input, format)
      const child = await session.showChild(key.keyId, path, signal)
      const signed = await signTransaction({ format, bytes }, { session, child, input, signal })
      return { format, child, signed }
    })
    if (options.out !== undefined) writeNewFile(options.out, utf8(`${signed.text}\n`), "out")
    const facts = factsOf(child, format, signed)
    terminal.err.write(incidentText(signed.incidents))
    // Standard output is the transaction and nothing else, for the tool that broadcasts it.
    if (!context.settings.json) terminal.err.write(factsText(facts))
    const text = options.out === undefined ? `${signed.text}\n` : `Wrote ${options.out}.\n`
    return report(text, { ...facts, signed: signed.text, incidents: signed.incidents })
  })
}

function factsOf(child: ChildView, format: Format, signed: SignedTransaction) {
  const { keyId, keyType, path, publicKey } = child
  const own = format === "psbt" && keyType === "ecdsa-secp256k1" ? "p2wpkh" : undefined
  return {
    format,
    keyId: toHex(keyId),
    path: formatChildPath(path),
    publicKey: toHex(publicKey),
    address: addressOf(child, addressFormat(keyType, own), undefined),
    digests: signed.digests.map(toHex),
    signers: [...signed.signers].sort((a, b) => a - b),
    complete: signed.missing === "",
    missing: signed.missing,
  }
}

function factsText(facts: ReturnType<typeof factsOf>): string {
  const { keyId, path, address, format, digests, signers, missing } = facts
  // Which of its addresses a PSBT spends from is the PSBT's to say.
  const signer = format === "psbt" ? `public key ${facts.publicKey}` : address
  const state = missing === "" ? "complete: it can be broadcast" : `still needs ${missing}`
  return table([
    ["key", `${keyId.slice(0, 12)} ${path}`],
    ["signs as", signer],
    ...digests.map((digest) => ["digest", digest]),
    ["servers", signers.join(", ")],
    ["transaction", state],
  ])
}

function inputOf(text: string | undefined, format: Format): number | null {
  if (text === undefined) return null
  const refuse = (message: string, remedy: string): never => {
    throw new LockKeeperError("invalid-request", message, { field: "input", remedy })
  }
  if (format !== "psbt") refuse("Only a PSBT has inputs to choose from.", "Leave out --input.")
  if (!/^\d{1,5}$/.test(text)) refuse("The option --input is no number.", "Count from 0.")
  return Number(text)
}
