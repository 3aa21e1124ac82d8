import { setPolicyBody } from "@lockkeeper/api"
import { type Bytes, concat, encode, fromHex } from "@lockkeeper/encoding"
import { type Charter, charterCodec, type Person, readSource } from "@lockkeeper/policy"
import { expectKind, type TestOwner, type TestSession } from "./owner.ts"

/** Up to 1000 lamports a day to anybody; more once two treasurers agree; compliance may veto. */
export const HEADER = {
  name: "treasury",
  version: 1,
  roles: ["compliance", "treasurer"],
  limits: {
    daily: { kind: "window", asset: "solana/native", most: "1000", over: "24h", per: "key" },
  },
  quorums: {
    "two-treasurers": {
      need: 2,
      members: [{ role: "treasurer" }],
      veto: [{ role: "compliance" }],
    },
  },
}

export const RULES = `
@id("small-payments")
@limit("daily")
permit (principal, action == Action::"sign", resource)
when { principal.kind == Kind::"owner" && context.intent.kind == "transfer" };

@id("approved")
@quorum("two-treasurers")
permit (principal, action, resource);
`

export interface CharterChanges {
  readonly version?: number
  readonly rules?: string
  readonly people?: readonly Person[]
  readonly rawKeys?: readonly Bytes[]
}

export function charterOf(changes: CharterChanges = {}): Charter {
  const { version = 1, rules = RULES, people = [], rawKeys = [] } = changes
  const header = JSON.stringify({ ...HEADER, version })
  const { document: policy } = readSource(`${header}\n---\n${rules}`)
  return { policy, people, rawKeys, bitcoinNetwork: "mainnet" }
}

/** Sets a charter at the sessions' servers. @throws LockKeeperError as the first that refuses. */
export async function setCharter(
  owner: TestOwner,
  sessions: readonly TestSession[],
  charter: Charter,
): Promise<void> {
  const request = owner.sign(
    owner.request("policy.set", encode(setPolicyBody, { charter: encode(charterCodec, charter) })),
  )
  for (const session of sessions) {
    const payload = { kind: "act", request, step: 1, input: new Uint8Array(0) } as const
    expectKind(await session.call(payload), "act")
  }
}

/**
 * Solana's legacy message with one transfer of the system program.
 *
 * @param mark - distinguishes two transfers of one amount, as another blockhash does.
 */
export function transferOf(from: Uint8Array, lamports: number, mark = 1, to = 2): Bytes {
  const amount = new Uint8Array(8)
  new DataView(amount.buffer).setBigUint64(0, BigInt(lamports), true)
  return concat(
    Uint8Array.of(1, 0, 1, 3),
    ...[from, new Uint8Array(32).fill(to), new Uint8Array(32)],
    new Uint8Array(32).fill(mark),
    Uint8Array.of(1, 2, 2, 0, 1, 12),
    ...[fromHex("02000000"), amount],
  )
}
