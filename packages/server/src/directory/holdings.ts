import { DECOY_ID } from "../decoy-account.ts"
import type { Unsealed } from "./unseal.ts"

/** Whether the server holds a share of any key or account. */
export async function holdsShares({ store }: Pick<Unsealed, "store">): Promise<boolean> {
  const keys = await store.scan("keys", "", "", 1)
  // Every server that ever started has a decoy.
  const accounts = await store.scan("accounts", "", "", 2)
  return keys.length > 0 || accounts.some(({ id }) => id !== DECOY_ID)
}
