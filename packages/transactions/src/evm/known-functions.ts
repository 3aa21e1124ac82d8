import { toHex, utf8 } from "@lockkeeper/encoding"
import { keccak_256 } from "@noble/hashes/sha3.js"
import type { AbiParameter, AbiType } from "./abi.ts"

export interface KnownFunction<K extends string> {
  readonly name: K
  readonly parameters: readonly AbiParameter[]
}

/** ERC-20, EIP-2612, ERC-721, ERC-1155; changes of allowances as OpenZeppelin has them. */
const TOKEN_FUNCTIONS = {
  transfer: "transfer(address to,uint256 amount)",
  transferFrom: "transferFrom(address from,address to,uint256 amount)",
  approve: "approve(address spender,uint256 amount)",
  increase: "increaseAllowance(address spender,uint256 amount)",
  decrease: "decreaseAllowance(address spender,uint256 amount)",
  permit:
    "permit(address owner,address spender,uint256 amount,uint256 deadline," +
    "uint8 v,bytes32 r,bytes32 s)",
  approveAll: "setApprovalForAll(address operator,bool approved)",
  transferOne: "safeTransferFrom(address from,address to,uint256 id)",
  transferOneWithData: "safeTransferFrom(address from,address to,uint256 id,bytes data)",
  transferMany: "safeTransferFrom(address from,address to,uint256 id,uint256 amount,bytes data)",
  transferBatch:
    "safeBatchTransferFrom(address from,address to,uint256[] ids,uint256[] amounts,bytes data)",
} as const

/** Uniswap's Permit2, which only one contract is. */
const PERMIT2_FUNCTIONS = {
  approve: "approve(address token,address spender,uint160 amount,uint48 expiration)",
  transferFrom: "transferFrom(address from,address to,uint160 amount,address token)",
} as const

export type TokenFunction = keyof typeof TOKEN_FUNCTIONS
export type Permit2Function = keyof typeof PERMIT2_FUNCTIONS

/** Permit2's address on the chains that it was deployed to with its usual salt. */
export const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"

/** By the 4 bytes that a call begins with, in hexadecimal. */
export const tokenFunctions = bySelector(TOKEN_FUNCTIONS)
export const permit2Functions = bySelector(PERMIT2_FUNCTIONS)

function bySelector<K extends string>(
  declarations: Readonly<Record<K, string>>,
): ReadonlyMap<string, KnownFunction<K>> {
  const functions = new Map<string, KnownFunction<K>>()
  for (const [name, declaration] of Object.entries(declarations) as [K, string][]) {
    const open = declaration.indexOf("(")
    const parameters = declaration
      .slice(open + 1, -1)
      .split(",")
      .map((part) => {
        const [type, parameter] = part.split(" ") as [AbiType, string]
        return { name: parameter, type }
      })
    const signature = `${declaration.slice(0, open)}(${parameters.map(({ type }) => type).join()})`
    const selector = toHex(keccak_256(utf8(signature)).subarray(0, 4))
    functions.set(selector, { name, parameters })
  }
  return functions
}
