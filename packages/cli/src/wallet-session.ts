import type { SignContent } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import type { WalletSession } from "@lockkeeper/wallet"
import type { ChildView, IncidentView, OwnerSession } from "./owner.ts"

/** What the servers did for signatures that an adapter asked for. */
export interface Work {
  readonly signers: Set<number>
  readonly incidents: IncidentView[]
}

/**
 * The owner's session, here or in the agent, as the wallet adapters take one. It signs with `child`
 * and nothing else.
 */
export function walletSession(
  session: OwnerSession,
  child: ChildView,
  signal: AbortSignal,
): {
  readonly wallet: WalletSession
  readonly work: Work
  /** What was asked for, in order. */
  readonly contents: readonly SignContent[]
} {
  const work: Work = { signers: new Set(), incidents: [] }
  const contents: SignContent[] = []
  const { keyId, path, publicKey } = child
  const ask = async (content: SignContent, merkleRoot: Bytes | null) => {
    const signed = await session.sign({ keyId, path, content, merkleRoot }, signal)
    for (const signer of signed.signers) work.signers.add(signer)
    work.incidents.push(...signed.incidents)
    contents.push(content)
    return signed
  }
  const wallet: WalletSession = {
    keys: { childKey: () => ({ publicKey }) },
    async signDigestOf({ content }) {
      const { signature, recovery } = await ask(content, null)
      const [r, s] = [signature.subarray(0, 32), signature.subarray(32)]
      return { r, s, recovery: recovery ?? 0, publicKey }
    },
    async sign({ content, taproot }) {
      const merkleRoot = taproot === undefined ? null : rootOf(taproot)
      return await ask(content, merkleRoot)
    },
  }
  return { wallet, work, contents }
}

function rootOf(taproot: "key-path" | { readonly merkleRoot: Bytes }): Bytes {
  return taproot === "key-path" ? new Uint8Array(0) : taproot.merkleRoot
}
