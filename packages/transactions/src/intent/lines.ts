import type { Action } from "./action.ts"
import type { Asset } from "./asset.ts"
import type { Chain, Intent } from "./intent.ts"
import { printable, readable } from "./printable.ts"
import { sentenceOf } from "./warning.ts"

/** One line for people. Both texts are printable ASCII, but for values `as written`. */
export interface Line {
  readonly field: string
  readonly value: string
}

const UNITS = { evm: "wei", bitcoin: "satoshi", solana: "lamports" } as const

/**
 * The whole intent as lines, warnings first. No text within what is signed can look like a line of
 * ours: whatever is not printable ASCII is escaped, line breaks, marks of direction and letters that
 * look like others included. Where that hides text that people may want to read, a further line has it
 * as it was written.
 */
export function linesOf(intent: Intent): readonly Line[] {
  const lines: Line[] = []
  const add = (field: string, value: string) => {
    lines.push({ field: printable(field), value: printable(value) })
    const written = readable(value)
    if (written !== printable(value)) {
      lines.push({ field: `${printable(field)} (as written)`, value: written })
    }
  }
  for (const { kind, at } of intent.warnings) {
    add("warning", at === "" ? sentenceOf(kind) : `${sentenceOf(kind)} [${at}]`)
  }
  const unit = UNITS[intent.chain.kind]
  add("chain", chainText(intent.chain))
  add("kind", intent.kind)
  if (intent.from !== null) add("from", intent.from)
  intent.actions.forEach((action, index) => {
    for (const [field, value] of actionFields(action, unit)) {
      add(field === "" ? `action ${index + 1}` : `action ${index + 1}, ${field}`, value)
    }
  })
  if (intent.feeCeiling !== null) add("fee at most", `${intent.feeCeiling} ${unit}`)
  if (intent.nonce !== null) add("nonce", String(intent.nonce))
  for (const { name, value } of intent.details) add(`detail, ${name}`, value)
  return lines
}

function* actionFields(action: Action, unit: string): Generator<readonly [string, string]> {
  const { kind, from, to, asset, amount, details } = action
  yield ["", kind]
  if (from !== null) yield ["from", from]
  if (to !== null) yield ["to", to]
  if (amount !== null) yield ["amount", String(amount)]
  if (asset !== null) yield ["asset", assetText(asset, unit)]
  for (const { name, value } of details) yield [`detail, ${name}`, value]
}

function chainText(chain: Chain): string {
  switch (chain.kind) {
    case "evm":
      return chain.chainId === null ? "every EVM chain" : `EVM chain ${chain.chainId}`
    case "bitcoin":
      return `Bitcoin, addresses of ${chain.network}`
    case "solana":
      return "Solana, any cluster"
  }
}

function assetText(asset: Asset, unit: string): string {
  switch (asset.kind) {
    case "native":
      return unit
    case "token":
      return `token ${asset.contract}`
    case "nft":
      return `token ${asset.contract}, id ${asset.id}`
    case "held-by":
      return `the token held by ${asset.account}`
  }
}
