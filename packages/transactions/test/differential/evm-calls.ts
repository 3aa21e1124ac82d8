import type { ActionKind } from "@lockkeeper/transactions"
import fc from "fast-check"
import { type Abi, getAddress, parseAbi, toHex } from "viem"

/** The standards' functions as viem reads them. */
export const knownAbi = parseAbi([
  "function transfer(address,uint256)",
  "function transferFrom(address,address,uint256)",
  "function approve(address,uint256)",
  "function increaseAllowance(address,uint256)",
  "function decreaseAllowance(address,uint256)",
  "function permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
  "function setApprovalForAll(address,bool)",
  "function safeTransferFrom(address,address,uint256)",
  "function safeTransferFrom(address,address,uint256,bytes)",
  "function safeTransferFrom(address,address,uint256,uint256,bytes)",
  "function safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
])

interface Expected {
  readonly kind: ActionKind
  readonly from?: string
  readonly to: string
  readonly amount: bigint | null
  /** Of an ERC-721 or ERC-1155 token. */
  readonly id?: bigint
}

/** A call of a known function, and what it has to be read as. */
export interface Known {
  readonly call: {
    readonly abi: Abi
    readonly functionName: string
    readonly args: readonly unknown[]
  }
  actions(contract: string): readonly Expected[]
}

const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => getAddress(toHex(bytes)))
const number = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n })
const bytes = fc.uint8Array({ maxLength: 70 }).map((data) => toHex(data))
const word = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((data) => toHex(data))

function known(
  functionName: string,
  args: readonly unknown[],
  ...actions: readonly Expected[]
): Known {
  return { call: { abi: knownAbi, functionName, args }, actions: () => actions }
}

export const knownCalls: fc.Arbitrary<Known> = fc.oneof(
  fc
    .tuple(address, number)
    .map(([to, amount]) => known("transfer", [to, amount], { kind: "transfer", to, amount })),
  fc
    .tuple(address, address, number)
    .map(([from, to, amount]) =>
      known("transferFrom", [from, to, amount], { kind: "transfer", from, to, amount }),
    ),
  fc
    .tuple(address, number)
    .map(([to, amount]) => known("approve", [to, amount], { kind: "approve", to, amount })),
  fc
    .tuple(address, number)
    .map(([to, amount]) =>
      known("increaseAllowance", [to, amount], { kind: "increase-approval", to, amount }),
    ),
  fc
    .tuple(address, number)
    .map(([to, amount]) =>
      known("decreaseAllowance", [to, amount], { kind: "decrease-approval", to, amount }),
    ),
  fc
    .tuple(address, address, number, number, fc.nat(255), word, word)
    .map(([from, to, amount, ...rest]) =>
      known("permit", [from, to, amount, ...rest], { kind: "approve", from, to, amount }),
    ),
  fc.tuple(address, fc.boolean()).map(([to, yes]) =>
    known("setApprovalForAll", [to, yes], {
      kind: yes ? "approve-all" : "revoke",
      to,
      amount: null,
    }),
  ),
  fc.tuple(address, address, number, fc.option(bytes)).map(([from, to, id, data]) =>
    known("safeTransferFrom", [from, to, id, ...(data === null ? [] : [data])], {
      ...{ kind: "transfer", from, to, amount: 1n, id },
    }),
  ),
  fc.tuple(address, address, number, number, bytes).map(([from, to, id, amount, data]) =>
    known("safeTransferFrom", [from, to, id, amount, data], {
      ...{ kind: "transfer", from, to, amount, id },
    }),
  ),
  fc
    .tuple(
      address,
      address,
      fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 4 }),
      bytes,
    )
    .map(([from, to, pairs, data]) =>
      known(
        "safeBatchTransferFrom",
        [from, to, pairs.map(([id]) => id), pairs.map(([, amount]) => amount), data],
        ...pairs.map(([id, amount]) => ({ kind: "transfer", from, to, amount, id }) as const),
      ),
    ),
)
