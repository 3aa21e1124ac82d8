import { writeFileSync } from "node:fs"
import { LockKeeperError } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { childPathArgument, PATH_OPTION } from "../child-path.ts"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import { checkDigestLength, MESSAGE_OPTIONS, type MessageOptions, readMessage } from "../message.ts"
import type { KeyView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { hexArgument, incidentText } from "../text.ts"

export interface TaprootOptions {
  readonly taproot?: boolean
  readonly merkleRoot?: string
}

export const TAPROOT_OPTIONS = [
  option("--taproot", "bip340: the BIP341 output key without scripts"),
  option("--merkle-root <digits>", "bip340: the BIP341 output key with this script tree"),
]

type Options = MessageOptions & TaprootOptions & { readonly out?: string; readonly path: string }

/** `lockkeeper sign KEY`. */
export const addSign: AddCommands = (add) =>
  add<Options>({
    usage: "sign",
    summary: "Sign a message, or a 32-byte digest, with one of your keys",
    arguments: [["<key>", "id, first digits of it, or label"]],
    options: [
      ...MESSAGE_OPTIONS,
      PATH_OPTION,
      ...TAPROOT_OPTIONS,
      option("--out <path>", "write the raw signature to this file"),
    ],
    examples: [
      "lockkeeper sign savings --message hello",
      "lockkeeper sign savings --file message.bin --out message.sig",
      "lockkeeper sign taproot --hex $SIGHASH --taproot   # a 32-byte BIP341 sighash",
      "lockkeeper sign spending --hex $DIGEST --path m/0/5   # ECDSA; see sign-tx and sign-message",
    ],
    run: sign,
  })

async function sign(
  context: Context,
  options: Options,
  [named = ""]: readonly string[],
): Promise<Report> {
  const { terminal, signal } = context
  const message = await readMessage(options, terminal.input)
  const merkleRoot = merkleRootOf(options)
  const path = childPathArgument(options.path)
  return await withOwner(context, async (session) => {
    const { key, signer, signed } = await withProgress(terminal, "Signing", async () => {
      const key = await findKey(session, named, signal)
      checkFits(key, message, merkleRoot)
      const content = { kind: "message", message } as const
      const order = { keyId: key.keyId, path, content, merkleRoot }
      const signer = path.length === 0 ? key : await session.showChild(key.keyId, path, signal)
      return { key, signer, signed: await session.sign(order, signal) }
    })
    if (options.out !== undefined) writeFileSync(options.out, signed.signature, { flag: "wx" })
    const signature = toHex(signed.signature)
    const { keyType } = key
    const { publicKey } = signer
    const json = { keyId: toHex(key.keyId), keyType, publicKey: toHex(publicKey), signature }
    const { recovery, signers, incidents } = signed
    terminal.err.write(incidentText(incidents))
    const text = options.out === undefined ? `${signature}\n` : `Wrote ${options.out}.\n`
    return report(text, { ...json, path: options.path, recovery, signers, incidents })
  })
}

/** What is tweaked: null nothing, empty the key path, 32 bytes a script tree. */
export function merkleRootOf({ taproot, merkleRoot }: TaprootOptions): Bytes | null {
  if (merkleRoot !== undefined) return hexArgument(merkleRoot, "merkle-root", 32)
  return taproot === true ? new Uint8Array(0) : null
}

function checkFits(key: KeyView, message: Bytes, merkleRoot: Bytes | null): void {
  if (key.keyType === "ecdsa-secp256k1") checkDigestLength(message)
  if (key.keyType === "bip340" && message.length !== 32) {
    throw new LockKeeperError(
      "invalid-request",
      `A bip340 key signs a 32-byte sighash; this message has ${message.length} bytes.`,
      { field: "message", remedy: "Pass the sighash with --hex." },
    )
  }
  if (key.keyType !== "bip340" && merkleRoot !== null) {
    throw new LockKeeperError("invalid-request", "Only bip340 keys have Taproot outputs.", {
      field: "taproot",
      remedy: "Leave out --taproot and --merkle-root.",
    })
  }
}
