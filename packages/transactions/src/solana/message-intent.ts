import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { base58 } from "@scure/base"
import { readableText } from "../evm/message-intent.ts"
import { type Action, actionOf, bytesShown, type Detail } from "../intent/action.ts"
import { bounded, type Intent } from "../intent/intent.ts"
import type { Warning, WarningKind } from "../intent/warning.ts"
import { feeCeilingOf } from "./fee.ts"
import { readSolanaMessage, type SolanaInstruction, type SolanaMessage } from "./message.ts"
import { accountDetails, readInstruction } from "./program.ts"
import { ASSOCIATED_TOKEN_PROGRAM, MEMO_PROGRAMS, PROGRAMS, SYSTEM_PROGRAM } from "./programs.ts"

export interface SolanaIntent {
  readonly intent: Intent
  /** What Ed25519 signs, which hashes by itself: the message. */
  readonly digest: Bytes
}

/** System's AdvanceNonceAccount. */
const ADVANCE_NONCE = 4

type Warn = (kind: WarningKind, at: string) => void

/**
 * What a legacy message of Solana, or one of version 0, does. System, token, associated token, stake,
 * compute budget and memo instructions are read; those of other programs are shown as their bytes.
 *
 * @param publicKey - the key that signs, 32 bytes, which then has to be one of the signers.
 * @throws DecodeError with the path of what is at fault, as in `instructions.1.data.lamports`.
 */
export function solanaMessageIntent(
  message: Uint8Array,
  publicKey: Uint8Array | null = null,
): SolanaIntent {
  const read = readSolanaMessage(message)
  if (publicKey !== null && !isSigner(read, publicKey)) {
    throw new DecodeError("the key is none of the signers", 0, "accounts")
  }
  const warnings: Warning[] = []
  const warn = (kind: WarningKind, at: string) => void warnings.push({ kind, at })
  const actions = read.instructions.map((given, index) =>
    actionFor(given, `instructions.${index}`, warn),
  )
  if (advancesNonce(read)) warn("durable-nonce", "instructions.0")
  if (read.lookups.length > 0) warn("unresolved-lookup", "lookups")
  const intent: Intent = {
    chain: { kind: "solana" },
    kind: "transaction",
    // The first account pays.
    from: read.accounts[0]?.address ?? null,
    actions,
    feeCeiling: feeCeilingOf(read, warn),
    nonce: null,
    warnings,
    details: detailsOf(read),
  }
  return { intent: bounded(intent), digest: new Uint8Array(message) }
}

function isSigner({ accounts }: SolanaMessage, publicKey: Uint8Array): boolean {
  const own = base58.encode(publicKey)
  return accounts.some(({ address, signs }) => signs && address === own)
}

/** Such a transaction is valid until the nonce account moves on, not for a minute. */
function advancesNonce({ instructions: [first] }: SolanaMessage): boolean {
  return first?.program === SYSTEM_PROGRAM && first.data[0] === ADVANCE_NONCE
}

function actionFor(given: SolanaInstruction, path: string, warn: Warn): Action {
  const { program, data } = given
  if (MEMO_PROGRAMS.includes(program)) return memo(given, path, warn)
  const known = PROGRAMS.get(program)
  // The first version of Create had no data.
  const isFirstCreate = program === ASSOCIATED_TOKEN_PROGRAM && data.length === 0
  const instruction = isFirstCreate ? { ...given, data: Uint8Array.of(0) } : given
  const read = known === undefined ? null : readInstruction(known, instruction, path)
  if (read === null) {
    warn(known === undefined ? "unknown-program" : "unknown-instruction", path)
    const details = [...bytesShown("data", data), ...accountDetails([], given.accounts)]
    return actionOf("call", { to: program, details })
  }
  const { action, warning } = read
  if (warning !== null) warn(warning, path)
  // Nobody owns half of what 64 bits can count.
  if (action.kind === "approve" && (action.amount ?? 0n) >> 63n !== 0n) {
    warn("unlimited-approval", path)
  }
  const details = [{ name: "program", value: program }, ...action.details]
  if (isFirstCreate) details.push({ name: "data", value: "none" })
  return { ...action, details }
}

function memo({ program, accounts, data }: SolanaInstruction, path: string, warn: Warn): Action {
  const text = readableText(data)
  if (text === null) warn("unreadable-message", path)
  const shown = text === null ? bytesShown("bytes", data) : [{ name: "text", value: text }]
  const details = [
    { name: "instruction", value: "Memo" },
    ...shown,
    ...accountDetails([], accounts),
  ]
  return actionOf("data", { to: program, details })
}

function detailsOf({ version, accounts, blockhash, lookups }: SolanaMessage): readonly Detail[] {
  const role = (is: boolean, name: string) => (is ? [name] : [])
  return [
    { name: "form", value: version === 0 ? "message of version 0" : "legacy message" },
    { name: "recent blockhash or nonce", value: blockhash },
    ...accounts.map(({ address, signs, writable }, index) => ({
      name: [`account ${index}`, ...role(signs, "signer"), ...role(writable, "writable")].join(
        ", ",
      ),
      value: address,
    })),
    ...lookups.flatMap(({ table, writable, readonly }, index) => [
      { name: `lookup table ${index}`, value: table },
      { name: `lookup table ${index}, writable`, value: writable.join(" ") },
      { name: `lookup table ${index}, readonly`, value: readonly.join(" ") },
    ]),
  ]
}
