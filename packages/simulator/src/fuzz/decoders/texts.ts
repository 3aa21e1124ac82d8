import { fromBase64url, fromHex, toBase64url, toHex } from "@lockkeeper/encoding"
import { formatChildPath, parseChildPath } from "@lockkeeper/protocols"
import type { Decoder } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { changeJson } from "./json.ts"
import { ofText } from "./made-of.ts"

const ADDRESS = "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"

/** A policy with every kind of limit and member. */
const POLICY = `{ "name": "a", "version": 1, "roles": ["r"],
"limits": { "t": { "kind": "transaction", "asset": "eth", "most": "5" },
"w": { "kind": "window", "asset": "eth", "most": "5", "over": "24h", "per": "policy" },
"v": { "kind": "velocity", "requests": 3, "over": "90m" } },
"quorums": { "q": { "need": 2, "members": [{ "role": "r" }, { "person": "ada", "weight": 2 }],
"veto": [{ "person": "eve" }], "requester-may-approve": true } } }
---
@id("a") permit (principal, action, resource) when { (context.time.hour < 5) };
`

interface PolicyRead {
  readonly document: { readonly rules: string }
}

/** What people spell, and the encodings of bytes as text. */
export function textDecoders(inside: Inside): readonly Decoder[] {
  const hexArgument = nameIn<(text: string, field: string, length?: number) => Uint8Array>(
    inside,
    "packages/cli/src/text.ts",
    "hexArgument",
  )
  const childPathArgument = nameIn<(text: string) => readonly number[]>(
    inside,
    "packages/cli/src/child-path.ts",
    "childPathArgument",
  )
  const spelling = "packages/client/src/spelling.ts"
  const spellName = nameIn<(typed: string) => string>(inside, spelling, "spellName")
  const spellPassword = nameIn<(typed: string) => { wipe(): void }>(
    inside,
    spelling,
    "spellPassword",
  )
  const isEvmAddress = nameIn<(text: string) => boolean>(
    inside,
    "packages/transactions/src/evm/address.ts",
    "isEvmAddress",
  )
  const policy = "packages/policy/src"
  const readSource = nameIn<(text: string) => PolicyRead>(
    inside,
    `${policy}/document/source.ts`,
    "readSource",
  )
  const scanRules = nameIn<(rules: string) => object>(
    inside,
    `${policy}/rules/scan.ts`,
    "scanRules",
  )
  return [
    ofText({
      name: "text: policy file",
      samples: [POLICY],
      change: (text, dice) => {
        const [header = "", rules = ""] = text.split("\n---\n")
        return `${changeJson(header, dice)}\n---\n${rules}`
      },
      read(text) {
        try {
          return "length" in scanRules(readSource(text).document.rules)
        } catch (error) {
          if (error instanceof Error && error.name === "PolicyError") return false
          throw error
        }
      },
    }),
    ofText({
      name: "text: base64url",
      samples: ["", "AA", "AAECAwQFBgcICQ", "_-_-"],
      read: (text) => toBase64url(fromBase64url(text)),
    }),
    ofText({
      name: "text: hexadecimal",
      samples: ["", "00", "0123456789abcdef"],
      read: (text) => toHex(fromHex(text)),
    }),
    ofText({
      name: "text: hexadecimal argument",
      samples: ["", "0xAB", "0123456789abcdefABCDEF"],
      read: (text) => hexArgument(text, "hex").length >= 0,
    }),
    ofText({
      name: "text: BIP32 path",
      samples: ["m", "m/0", "m/44/60/0/0/5", "m/2147483647", "m/1/2/3/4/5/6/7/8/9/10"],
      read(text) {
        const parsed = parseChildPath(text)
        return parsed.ok ? formatChildPath(parsed.path) : false
      },
    }),
    ofText({
      name: "text: path argument",
      samples: ["m", "m/0/5", "m/2147483647"],
      read: (text) => formatChildPath(childPathArgument(text)),
    }),
    ofText({
      name: "text: account name",
      samples: ["alice", "Ada.Lovelace", "ﾊﾝﾄﾞﾙ", "straße", "a@b.example"],
      // One name for all its spellings: the spelled name spells itself.
      read(text) {
        const name = spellName(text)
        if (spellName(name) === name) return true
        throw new Error(`"${name}" is spelled otherwise`)
      },
    }),
    ofText({
      name: "text: password",
      samples: ["correct horse", "pässwörd\u3000x", "🔑🔑"],
      read(text) {
        spellPassword(text).wipe()
        return true
      },
    }),
    ofText({
      name: "text: EVM address",
      samples: [ADDRESS, ADDRESS.toLowerCase(), `0x${ADDRESS.slice(2).toUpperCase()}`],
      read: isEvmAddress,
    }),
  ]
}
