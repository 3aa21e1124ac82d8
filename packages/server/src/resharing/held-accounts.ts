import { putAccount, readAccount, readActiveAccount, wipeAccount } from "../accounts.ts"
import type { Guesses } from "../guesses.ts"
import type { ServerSelf } from "../self.ts"
import { agreeOnAccount, describeAccount, joinAccount, leaveAccount } from "./account-records.ts"
import { accountWithSharing, sharingOfAccountRow } from "./accounts.ts"
import type { ShareSource } from "./held.ts"

/** Shares of the keys that accounts' passwords are evaluated with. */
export function heldAccounts(self: ServerSelf, guesses: Guesses): ShareSource {
  return {
    kind: "accounts",
    table: "accounts",

    async read(store, id) {
      const row = await readActiveAccount(store, id)
      if (row === null) return null
      const { active, previous } = row.value
      wipeAccount({ ...row.value, active: null })
      active.record.maskingKey.wipe()
      const held = sharingOfAccountRow(row.value)
      if (held === null) throw new Error("an account that can log in has no sharing")
      const before = sharingOfAccountRow({ ...row.value, active: previous })
      return { sharing: held, share: active.share, version: row.version, before }
    },

    async replace(store, id, reshared) {
      const row = await readAccount(store, id)
      if (row === null) throw new Error("a share that was read has no row")
      const taken = accountWithSharing(row.value, reshared)
      const changes = taken.ok ? [putAccount(taken.value, row.version)] : []
      wipeAccount(row.value)
      return changes
    },

    async certificate(store, id) {
      const row = await readActiveAccount(store, id)
      if (row === null) return null
      wipeAccount(row.value)
      return row.value.active.oprf?.certificate ?? null
    },

    move: {
      describe: (store, id, index) => describeAccount(guesses, store, id, index),
      agree: async (_store, known, told, need) => agreeOnAccount(self, known, told, need),
      join: (store, reshared, record) => joinAccount({ self, guesses }, store, reshared, record),
      leave: leaveAccount,
    },

    // What a holder lacks it is dealt anew, with the names between: by a reshare that moves nobody.
    repair: null,

    replaced: () => guesses.forgetTold(),
  }
}
