/** What a web page does with the SDK; `browser.test.ts` bundles it and calls it inside Chromium. */
import { LockKeeper, LockKeeperError } from "@lockkeeper/client"
import { fromHex, toHex, utf8 } from "@lockkeeper/encoding"

export interface Visit {
  readonly roster: string
  readonly pin: string
  readonly name: string
  readonly password: string
  readonly message: string
  /** Registers the account first. */
  readonly register: boolean
}

export type Visited =
  | { readonly publicKey: string; readonly signature: string; readonly signers: number }
  | { readonly code: string; readonly guessesRemaining: number | null }

/** Logs in, makes a key and signs; a refusal comes back as its code. */
async function visit({ roster, pin, name, password, message, register }: Visit): Promise<Visited> {
  try {
    const keeper = await LockKeeper.connect({ roster: fromHex(roster), pin })
    if (register) await keeper.register({ name, password })
    const session = await keeper.login({ name, password })
    const { key } = await session.keys.create({ type: "ed25519", label: "from a page" })
    const { signature, signers } = await session.sign({ keyId: key.keyId, message: utf8(message) })
    await session.logout()
    keeper.close()
    return {
      publicKey: toHex(key.publicKey),
      signature: toHex(signature),
      signers: signers.length,
    }
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    return { code: error.code, guessesRemaining: error.guessesRemaining ?? null }
  }
}

Object.assign(globalThis, { visit })
