import { instruction, type KnownInstruction, type Program } from "./program.ts"

/** solana-system-interface, `SystemInstruction`. */
const SYSTEM: Program = {
  name: "System",
  tagBytes: 4,
  instructions: new Map<number, KnownInstruction>([
    [
      0,
      instruction(
        "CreateAccount",
        "create-account",
        "funder new",
        "lamports u64, space u64, owner pubkey",
        { from: "funder", to: "new", amount: "lamports" },
      ),
    ],
    [
      1,
      instruction("Assign", "authorize", "account", "owner pubkey", {
        ...{ from: "account", to: "owner", warning: "authority-change" },
      }),
    ],
    [
      2,
      instruction("Transfer", "transfer", "from to", "lamports u64", {
        ...{ from: "from", to: "to", amount: "lamports" },
      }),
    ],
    [
      3,
      instruction(
        "CreateAccountWithSeed",
        "create-account",
        "funder new",
        "base pubkey, seed string, lamports u64, space u64, owner pubkey",
        { from: "funder", to: "new", amount: "lamports" },
      ),
    ],
    [
      4,
      instruction("AdvanceNonceAccount", "advance-nonce", "nonce blockhashes authority", "", {
        from: "nonce",
      }),
    ],
    [
      5,
      instruction(
        "WithdrawNonceAccount",
        "withdraw",
        "nonce recipient blockhashes rent authority",
        "lamports u64",
        { from: "nonce", to: "recipient", amount: "lamports" },
      ),
    ],
    [
      6,
      instruction(
        "InitializeNonceAccount",
        "authorize",
        "nonce blockhashes rent",
        "authorized pubkey",
        { from: "nonce", to: "authorized" },
      ),
    ],
    [
      7,
      instruction("AuthorizeNonceAccount", "authorize", "nonce authority", "authorized pubkey", {
        ...{ from: "nonce", to: "authorized", warning: "authority-change" },
      }),
    ],
    [8, instruction("Allocate", "call", "account", "space u64", { to: "account" })],
    [
      9,
      instruction(
        "AllocateWithSeed",
        "authorize",
        "account base",
        "base pubkey, seed string, space u64, owner pubkey",
        { from: "account", to: "owner", warning: "authority-change" },
      ),
    ],
    [
      10,
      instruction(
        "AssignWithSeed",
        "authorize",
        "account base",
        "base pubkey, seed string, owner pubkey",
        { from: "account", to: "owner", warning: "authority-change" },
      ),
    ],
    [
      11,
      instruction(
        "TransferWithSeed",
        "transfer",
        "from base to",
        "lamports u64, seed string, owner pubkey",
        { from: "from", to: "to", amount: "lamports" },
      ),
    ],
    [12, instruction("UpgradeNonceAccount", "call", "nonce", "", { to: "nonce" })],
  ]),
}

const fromSource = { from: "source", amount: "amount" }
const heldBySource = { heldBy: "source" }
const ofMint = { mint: "mint" }

/** The instructions that SPL Token and Token-2022 have in common, of which the basic ones are known. */
const TOKEN_INSTRUCTIONS = new Map<number, KnownInstruction>([
  [1, instruction("InitializeAccount", "call", "account mint owner rent", "", { to: "account" })],
  [
    3,
    instruction("Transfer", "transfer", "source destination authority", "amount u64", {
      ...fromSource,
      ...{ to: "destination", asset: heldBySource },
    }),
  ],
  [
    4,
    instruction("Approve", "approve", "source delegate owner", "amount u64", {
      ...fromSource,
      ...{ to: "delegate", asset: heldBySource },
    }),
  ],
  [5, instruction("Revoke", "revoke", "source owner", "", { from: "source", asset: heldBySource })],
  [
    6,
    instruction(
      "SetAuthority",
      "authorize",
      "account authority",
      "type u8, newAuthority optional-pubkey",
      { from: "account", to: "newAuthority", warning: "authority-change" },
    ),
  ],
  [
    7,
    instruction("MintTo", "mint", "mint destination authority", "amount u64", {
      ...{ to: "destination", amount: "amount", asset: ofMint },
    }),
  ],
  [
    8,
    instruction("Burn", "burn", "source mint authority", "amount u64", {
      ...fromSource,
      asset: ofMint,
    }),
  ],
  [
    9,
    instruction("CloseAccount", "close-account", "account recipient owner", "", {
      ...{ from: "account", to: "recipient" },
    }),
  ],
  [
    10,
    instruction("FreezeAccount", "freeze", "account mint authority", "", {
      ...{ from: "account", asset: ofMint },
    }),
  ],
  [
    11,
    instruction("ThawAccount", "thaw", "account mint authority", "", {
      ...{ from: "account", asset: ofMint },
    }),
  ],
  [
    12,
    instruction(
      "TransferChecked",
      "transfer",
      "source mint destination authority",
      "amount u64, decimals u8",
      { ...fromSource, to: "destination", asset: ofMint },
    ),
  ],
  [
    13,
    instruction(
      "ApproveChecked",
      "approve",
      "source mint delegate owner",
      "amount u64, decimals u8",
      { ...fromSource, to: "delegate", asset: ofMint },
    ),
  ],
  [
    14,
    instruction("MintToChecked", "mint", "mint destination authority", "amount u64, decimals u8", {
      to: "destination",
      amount: "amount",
      asset: ofMint,
    }),
  ],
  [
    15,
    instruction("BurnChecked", "burn", "source mint authority", "amount u64, decimals u8", {
      ...fromSource,
      asset: ofMint,
    }),
  ],
  [
    16,
    instruction("InitializeAccount2", "call", "account mint rent", "owner pubkey", {
      to: "account",
    }),
  ],
  [17, instruction("SyncNative", "call", "account", "", { to: "account" })],
  [
    18,
    instruction("InitializeAccount3", "call", "account mint", "owner pubkey", { to: "account" }),
  ],
  [22, instruction("InitializeImmutableOwner", "call", "account", "", { to: "account" })],
])

const ASSOCIATED = "payer account owner mint system token"

/** spl-associated-token-account; without data it is Create too. */
const ASSOCIATED_TOKEN: Program = {
  name: "Associated Token",
  tagBytes: 1,
  instructions: new Map([
    [0, instruction("Create", "create-account", ASSOCIATED, "", { from: "payer", to: "account" })],
    [
      1,
      instruction("CreateIdempotent", "create-account", ASSOCIATED, "", {
        ...{ from: "payer", to: "account" },
      }),
    ],
  ]),
}

/** solana-stake-interface, `StakeInstruction`. */
const STAKE: Program = {
  name: "Stake",
  tagBytes: 4,
  instructions: new Map<number, KnownInstruction>([
    [
      0,
      instruction(
        "Initialize",
        "authorize",
        "stake rent",
        "staker pubkey, withdrawer pubkey, lockupTime i64, lockupEpoch u64, custodian pubkey",
        { from: "stake", to: "withdrawer" },
      ),
    ],
    [
      1,
      instruction(
        "Authorize",
        "authorize",
        "stake clock authority",
        "newAuthority pubkey, role u32",
        { from: "stake", to: "newAuthority", warning: "authority-change" },
      ),
    ],
    [
      2,
      instruction("DelegateStake", "stake", "stake vote clock history config authority", "", {
        ...{ from: "stake", to: "vote" },
      }),
    ],
    [
      3,
      instruction("Split", "split", "stake split authority", "lamports u64", {
        ...{ from: "stake", to: "split", amount: "lamports" },
      }),
    ],
    [
      4,
      instruction(
        "Withdraw",
        "withdraw",
        "stake recipient clock history authority",
        "lamports u64",
        { from: "stake", to: "recipient", amount: "lamports" },
      ),
    ],
    [5, instruction("Deactivate", "unstake", "stake clock authority", "", { from: "stake" })],
    [
      7,
      instruction("Merge", "merge", "destination source clock history authority", "", {
        ...{ from: "source", to: "destination" },
      }),
    ],
    [
      9,
      instruction("InitializeChecked", "authorize", "stake rent staker withdrawer", "", {
        ...{ from: "stake", to: "withdrawer" },
      }),
    ],
    [
      10,
      instruction(
        "AuthorizeChecked",
        "authorize",
        "stake clock authority newAuthority",
        "role u32",
        {
          ...{ from: "stake", to: "newAuthority", warning: "authority-change" },
        },
      ),
    ],
  ]),
}

/** solana-compute-budget-interface: what a transaction may use, and what it pays for it. */
const COMPUTE_BUDGET: Program = {
  name: "Compute Budget",
  tagBytes: 1,
  instructions: new Map([
    [1, instruction("RequestHeapFrame", "call", "", "bytes u32")],
    [2, instruction("SetComputeUnitLimit", "call", "", "units u32")],
    [3, instruction("SetComputeUnitPrice", "call", "", "microLamports u64")],
    [4, instruction("SetLoadedAccountsDataSizeLimit", "call", "", "bytes u32")],
  ]),
}

export const COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111"
export const SYSTEM_PROGRAM = "11111111111111111111111111111111"
export const ASSOCIATED_TOKEN_PROGRAM = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"

export const PROGRAMS: ReadonlyMap<string, Program> = new Map([
  [SYSTEM_PROGRAM, SYSTEM],
  [
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    { name: "SPL Token", tagBytes: 1, instructions: TOKEN_INSTRUCTIONS },
  ],
  [
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
    { name: "Token-2022", tagBytes: 1, instructions: TOKEN_INSTRUCTIONS },
  ],
  [ASSOCIATED_TOKEN_PROGRAM, ASSOCIATED_TOKEN],
  ["Stake11111111111111111111111111111111111111", STAKE],
  [COMPUTE_BUDGET_PROGRAM, COMPUTE_BUDGET],
])

/** Programs that write their data into the log, and do nothing else. */
export const MEMO_PROGRAMS: readonly string[] = [
  "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr",
  "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo",
]

/** Programs that check signatures, for each of which the payer pays as for one of the transaction. */
export const SIGNATURE_PROGRAMS: readonly string[] = [
  "Ed25519SigVerify111111111111111111111111111",
  "KeccakSecp256k11111111111111111111111111111",
  "Secp256r1SigVerify1111111111111111111111111",
]
