import type { Action } from "@lockkeeper/transactions"
import {
  type Address,
  address,
  createNoopSigner,
  getAddressDecoder,
  type Instruction,
} from "@solana/kit"
import * as system from "@solana-program/system"
import * as token from "@solana-program/token"
import fc from "fast-check"

/** An instruction as Solana's own libraries write it, and what it has to be read as. */
export interface Made {
  readonly instruction: Instruction
  readonly expected: Pick<Action, "kind" | "from" | "to" | "asset" | "amount">
}

export const addresses = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes): Address => getAddressDecoder().decode(bytes))

const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const native = { kind: "native" } as const
const TOKEN_2022 = address("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
const programAddress = fc.constantFrom(token.TOKEN_PROGRAM_ADDRESS, TOKEN_2022)

const three = fc.tuple(addresses, addresses, addresses)

const lamports = fc.oneof(
  fc.tuple(three, u64).map(([[from, to], amount]): Made => {
    const source = createNoopSigner(from)
    return {
      instruction: system.getTransferSolInstruction({ source, destination: to, amount }),
      expected: { kind: "transfer", from, to, asset: native, amount },
    }
  }),
  fc.tuple(three, u64, u64).map(([[from, to, owner], amount, space]): Made => {
    const accounts = { payer: createNoopSigner(from), newAccount: createNoopSigner(to) }
    const fields = { lamports: amount, space, programAddress: owner }
    return {
      instruction: system.getCreateAccountInstruction({ ...accounts, ...fields }),
      expected: { kind: "create-account", from, to, asset: native, amount },
    }
  }),
  fc
    .tuple(three, u64, fc.string({ maxLength: 20 }))
    .map(([[from, base, to], amount, seed]): Made => {
      const accounts = { source: from, baseAccount: createNoopSigner(base), destination: to }
      const fields = { amount, fromSeed: seed, fromOwner: to }
      return {
        instruction: system.getTransferSolWithSeedInstruction({ ...accounts, ...fields }),
        expected: { kind: "transfer", from, to, asset: native, amount },
      }
    }),
  three.map(([account, owner]): Made => {
    const fields = { account: createNoopSigner(account), programAddress: owner }
    return {
      instruction: system.getAssignInstruction(fields),
      expected: { kind: "authorize", from: account, to: owner, asset: null, amount: null },
    }
  }),
  fc.tuple(three, u64).map(([[nonce, to, authority], amount]): Made => {
    const accounts = { nonceAccount: nonce, recipientAccount: to }
    const nonceAuthority = createNoopSigner(authority)
    return {
      instruction: system.getWithdrawNonceAccountInstruction({
        ...{ ...accounts, nonceAuthority, withdrawAmount: amount },
      }),
      expected: { kind: "withdraw", from: nonce, to, asset: native, amount },
    }
  }),
)

const tokens = fc.oneof(
  fc
    .tuple(three, u64, programAddress)
    .map(([[source, destination, owner], amount, program]): Made => {
      const fields = { source, destination, authority: createNoopSigner(owner), amount }
      return {
        instruction: token.getTransferInstruction(fields, { programAddress: program }),
        expected: {
          ...{ kind: "transfer", from: source, to: destination, amount },
          asset: { kind: "held-by", account: source },
        },
      }
    }),
  fc
    .tuple(three, addresses, u64, fc.nat(255), programAddress)
    .map(([[source, destination, owner], mint, amount, decimals, program]): Made => {
      const fields = { source, mint, destination, authority: createNoopSigner(owner) }
      return {
        instruction: token.getTransferCheckedInstruction(
          { ...fields, amount, decimals },
          { programAddress: program },
        ),
        expected: {
          ...{ kind: "transfer", from: source, to: destination, amount },
          asset: { kind: "token", contract: mint },
        },
      }
    }),
  fc
    .tuple(three, addresses, u64, fc.nat(255))
    .map(([[source, delegate, owner], mint, amount, decimals]): Made => {
      const fields = { source, mint, delegate, owner: createNoopSigner(owner) }
      return {
        instruction: token.getApproveCheckedInstruction({ ...fields, amount, decimals }),
        expected: {
          ...{ kind: "approve", from: source, to: delegate, amount },
          asset: { kind: "token", contract: mint },
        },
      }
    }),
  fc.tuple(three, u64).map(([[source, mint, owner], amount]): Made => {
    const fields = { account: source, mint, authority: createNoopSigner(owner), amount }
    return {
      instruction: token.getBurnInstruction(fields),
      expected: {
        ...{ kind: "burn", from: source, to: null, amount },
        asset: { kind: "token", contract: mint },
      },
    }
  }),
  fc.tuple(three, fc.option(addresses), fc.nat(3)).map(([[owned, owner], next, type]): Made => {
    const fields = { owned, owner: createNoopSigner(owner), newAuthority: next }
    return {
      instruction: token.getSetAuthorityInstruction({ ...fields, authorityType: type }),
      expected: { kind: "authorize", from: owned, to: next, asset: null, amount: null },
    }
  }),
  three.map(([account, destination, owner]): Made => {
    const fields = { account, destination, owner: createNoopSigner(owner) }
    return {
      instruction: token.getCloseAccountInstruction(fields),
      expected: {
        kind: "close-account",
        from: account,
        to: destination,
        asset: null,
        amount: null,
      },
    }
  }),
  fc.tuple(three, addresses).map(([[payer, ata, owner], mint]): Made => {
    const fields = { payer: createNoopSigner(payer), ata, owner, mint }
    return {
      instruction: token.getCreateAssociatedTokenIdempotentInstruction(fields),
      expected: { kind: "create-account", from: payer, to: ata, asset: null, amount: null },
    }
  }),
)

const unknown = fc
  .tuple(three, fc.uint8Array({ maxLength: 60 }))
  .map(([[program, account], data]): Made => {
    const accounts = [{ address: account, role: 1 }]
    return {
      instruction: { programAddress: program, accounts, data },
      expected: { kind: "call", from: null, to: program, asset: null, amount: null },
    }
  })

export const instructions: fc.Arbitrary<readonly Made[]> = fc.array(
  fc.oneof(lamports, tokens, unknown),
  { minLength: 1, maxLength: 3 },
)
