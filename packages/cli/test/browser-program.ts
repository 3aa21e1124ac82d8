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
  /** Makes a key in self custody, and signs with it in a later session, which has to open its share. */
  readonly self?: boolean
}

export type Visited =
  | { readonly publicKey: string; readonly signature: string; readonly signers: number }
  | { readonly code: string; readonly guessesRemaining: number | null }

/** Logs in, makes a key and signs; a refusal comes back as its code. */
async function visit(order: Visit): Promise<Visited> {
  const { roster, pin, name, password, message, register, self = false } = order
  try {
    const keeper = await LockKeeper.connect({ roster: fromHex(roster), pin })
    if (register) await keeper.register({ name, password })
    let session = await keeper.login({ name, password })
    const custody = self ? "self" : "custodial"
    const { key } = await session.keys.create({ type: "ed25519", label: "from a page", custody })
    if (self) {
      await session.logout()
      session = await keeper.login({ name, password })
    }
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

/** What of each device secret a script of the page gets to see. */
async function secrets(): Promise<readonly object[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly CryptoKey[]>()
  const opening = indexedDB.open("lockkeeper")
  opening.onerror = () => reject(opening.error)
  opening.onsuccess = () => {
    const store = opening.result.transaction("device-secrets").objectStore("device-secrets")
    const all = store.getAll()
    all.onsuccess = () => resolve(all.result)
    all.onerror = () => reject(all.error)
  }
  return (await promise).map(({ extractable, usages }) => ({ extractable, usages }))
}

Object.assign(globalThis, { visit, secrets })
