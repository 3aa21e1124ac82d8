import { readFileSync } from "node:fs"
import { LockKeeper, type Session } from "@lockkeeper/client"

/** Who logs in, and where. */
export interface Owner {
  /** Path of the roster. */
  readonly roster: string
  readonly pin: Uint8Array
  /** Path of the authority's certificate. */
  readonly ca: string
  readonly name: string
  readonly password: string
}

/** What a presigning client does until it is told to stop. */
export type PresigningOrder = Owner & { readonly pool: number } & (
    | { readonly kind: "maintain"; readonly keyId: Uint8Array }
    /** Fills the pool of one new key after the other. */
    | { readonly kind: "new-keys" }
  )

export async function openSession(
  { roster, pin, ca, name, password }: Owner,
  account: "register" | "registered",
): Promise<{ keeper: LockKeeper; session: Session }> {
  const keeper = await LockKeeper.connect({
    roster: readFileSync(roster),
    pin,
    ca: readFileSync(ca, "utf8"),
  })
  if (account === "register") await keeper.register({ name, password })
  return { keeper, session: await keeper.login({ name, password }) }
}
