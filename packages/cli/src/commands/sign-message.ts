import { type KeyType, LockKeeperError, type SignContent } from "@lockkeeper/api"
import { type Bytes, concat, fromUtf8, toHex } from "@lockkeeper/encoding"
import { formatChildPath } from "@lockkeeper/protocols"
import { addressFormat, addressOf } from "../addresses.ts"
import { childPathArgument, PATH_OPTION } from "../child-path.ts"
import { type AddCommands, type Context, option, type Report, report } from "../command.ts"
import { findKey } from "../find-key.ts"
import { type MessageOptions, readMessage } from "../message.ts"
import type { ChildView, SignatureView } from "../owner.ts"
import { withOwner } from "../session.ts"
import { withProgress } from "../terminal.ts"
import { incidentText, table } from "../text.ts"
import { digestOf, parsed } from "../transactions/digest.ts"

const TYPES = ["eip191", "eip712", "raw"] as const
type MessageType = (typeof TYPES)[number]

interface Options extends Omit<MessageOptions, "message"> {
  readonly path: string
  readonly type?: MessageType
}

/** `lockkeeper sign-message KEY MESSAGE`. */
export const addSignMessage: AddCommands = (add) =>
  add<Options>({
    usage: "sign-message",
    summary: "Sign a message as wallets do: personal_sign, typed data, or as it is",
    arguments: [
      ["<key>", "id, first digits of it, or label"],
      ["[message]", "the message as UTF-8 text, instead of --file or --hex"],
    ],
    options: [
      option("--type <type>", "eip191 (EVM, default there), eip712 (JSON), raw (others)").choices(
        TYPES,
      ),
      option("--hex <digits>", "the message in hexadecimal").conflicts("file"),
      option("--file <path>", "the message as the bytes of a file, - for standard input"),
      PATH_OPTION,
    ],
    examples: [
      'lockkeeper sign-message spending "I own this account"',
      "lockkeeper sign-message spending --type eip712 --file permit.json --path m/0/5",
      "lockkeeper sign-message savings --file message.bin   # ed25519: as it is",
    ],
    run: signMessage,
  })

async function signMessage(
  context: Context,
  options: Options,
  [named = "", text]: readonly string[],
): Promise<Report> {
  const { terminal, signal } = context
  const path = childPathArgument(options.path)
  const message = await messageOf(text, options, context)
  return await withOwner(context, async (session) => {
    const { child, type, digest, signed } = await withProgress(terminal, "Signing", async () => {
      const key = await findKey(session, named, signal)
      const type = typeFor(key.keyType, options.type)
      const content = contentOf(type, message, key.keyType)
      const child = await session.showChild(key.keyId, path, signal)
      const digest = parsed("typed data", "message", TYPED_DATA, () =>
        digestOf(content, child.publicKey),
      )
      const order = { keyId: key.keyId, path, content, merkleRoot: null }
      return { child, type, digest, signed: await session.sign(order, signal) }
    })
    const signature = signatureText(type, signed)
    const facts = factsOf(child, type, digest, signed)
    terminal.err.write(incidentText(signed.incidents))
    if (!context.settings.json) terminal.err.write(factsText(facts))
    return report(`${signature}\n`, { ...facts, signature, incidents: signed.incidents })
  })
}

const TYPED_DATA =
  "Write a JSON object of types (with EIP712Domain), primaryType, domain and message; every type " +
  "in it is used, and every field is there."

async function messageOf(
  text: string | undefined,
  options: Options,
  { terminal }: Context,
): Promise<Bytes> {
  if (text === undefined) return await readMessage(options, terminal.input)
  if (options.hex === undefined && options.file === undefined) {
    return await readMessage({ message: text }, terminal.input)
  }
  throw new LockKeeperError("invalid-request", "The message is given twice.", {
    field: "message",
    remedy: "Pass it as an argument, or with --hex or --file.",
  })
}

/** @throws LockKeeperError `invalid-request` when keys of the type do not sign such messages. */
function typeFor(keyType: KeyType, stated: MessageType | undefined): MessageType {
  const isEvm = keyType === "ecdsa-secp256k1"
  const type = stated ?? (isEvm ? "eip191" : "raw")
  if (isEvm || type === "raw") return type
  const message = `A key of type ${keyType} signs no EVM messages.`
  throw new LockKeeperError("invalid-request", message, {
    field: "type",
    remedy: "Use --type raw, or a key of type ecdsa-secp256k1.",
  })
}

function contentOf(type: MessageType, message: Bytes, keyType: KeyType): SignContent {
  if (type === "eip191") return { kind: "evm-message", message }
  if (type === "eip712") return { kind: "evm-typed-data", typedData: textOf(message) }
  if (keyType !== "ed25519" && message.length !== 32) {
    throw new LockKeeperError(
      "invalid-request",
      `A key of type ${keyType} signs a digest of 32 bytes as it is; this has ${message.length}.`,
      { field: "message", remedy: "Pass the digest with --hex." },
    )
  }
  return { kind: "message", message }
}

function textOf(message: Bytes): string {
  try {
    return fromUtf8(message)
  } catch (cause) {
    throw new LockKeeperError("invalid-request", "The typed data is not UTF-8.", {
      field: "message",
      remedy: TYPED_DATA,
      cause,
    })
  }
}

/** EVM messages: r, s and v of 27 or 28, as ecrecover takes them. Others: as `sign` prints them. */
function signatureText(type: MessageType, { signature, recovery }: SignatureView): string {
  if (type === "raw") return toHex(signature)
  return `0x${toHex(concat(signature, Uint8Array.of(27 + (recovery ?? 0))))}`
}

function factsOf(
  child: ChildView,
  type: MessageType,
  digest: Bytes | null,
  { recovery, signers }: SignatureView,
) {
  const { keyId, keyType, path, publicKey } = child
  return {
    type,
    keyId: toHex(keyId),
    path: formatChildPath(path),
    publicKey: toHex(publicKey),
    address: addressOf(child, addressFormat(keyType, undefined), undefined),
    digest: digest === null ? null : toHex(digest),
    recovery,
    signers,
  }
}

function factsText({ keyId, path, address, digest, signers }: ReturnType<typeof factsOf>): string {
  return table([
    ["key", `${keyId.slice(0, 12)} ${path}`],
    ["signs as", address],
    ...(digest === null ? [] : [["digest", digest]]),
    ["servers", signers.join(", ")],
  ])
}
