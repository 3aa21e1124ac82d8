import type { SignContent } from "@lockkeeper/api"
import { type Bytes, fromHex } from "@lockkeeper/encoding"

/** What is signed and the digest that another implementation (viem) has of it. */
export interface Known {
  readonly name: string
  readonly content: SignContent
  readonly digest: Bytes
}

const TO = "94000000000000000000000000000000000000dead"

function transaction(name: string, hex: string, digest: string): Known {
  const content = { kind: "evm-transaction", transaction: fromHex(hex) } as const
  return { name, content, digest: fromHex(digest) }
}

export const TYPED_DATA = JSON.stringify({
  types: {
    EIP712Domain: [{ name: "name", type: "string" }],
    Note: [{ name: "text", type: "string" }],
  },
  primaryType: "Note",
  domain: { name: "test" },
  message: { text: "hello" },
})

/** One of each kind that needs no key of its own. */
export const EVM_CONTENTS: readonly Known[] = [
  transaction(
    "legacy with EIP-155",
    `e307843b9aca00825208${TO}7b80018080`,
    "ae0e6070bfcd4827bd7a6495fdb216ac4b0d25042d6e7f508fd296367fcae61f",
  ),
  transaction(
    "EIP-2930",
    `01e20107843b9aca00825208${TO}7b80c0`,
    "ef26997cb2b068bfad60d8980c3b6fe676f2319693b97b34652646294b285b5b",
  ),
  transaction(
    "EIP-1559",
    `02e30107018477359400825208${TO}7b80c0`,
    "bcf20273522ee0c9363e8658a26c0e05eb5000f55774c64fe76a4093b181a7ec",
  ),
  transaction(
    "EIP-4844",
    `03f8460107018477359400825208${TO}7b80c005e1a001${"ab".repeat(31)}`,
    "64a02ac50c0f7a252f2c74eabb1c8435f080560f7dce5f8f03809923db6b8ba2",
  ),
  {
    name: "EIP-191",
    content: { kind: "evm-message", message: new TextEncoder().encode("hello") },
    digest: fromHex("50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750"),
  },
  {
    name: "EIP-712",
    content: { kind: "evm-typed-data", typedData: TYPED_DATA },
    digest: fromHex("f0171f1a78dc65efec72c34a4d9a92935f086178f27a908b0925abf640f013e0"),
  },
]
