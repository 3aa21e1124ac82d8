import { keyListing } from "@lockkeeper/api"
import { decode, encode, toHex } from "@lockkeeper/encoding"
import { confirmationsOfHolders, keyCertificateCodec, sharing } from "@lockkeeper/protocols"
import { keyRow, readHeldKey, readListing } from "../keys.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { PresigningRoom } from "../presigning/room.ts"
import type { ServerSelf } from "../self.ts"
import type { RecordSource, ShareSource } from "./held.ts"
import { joinKey, leaveKey, restoreKey } from "./key-moves.ts"
import { agreeOnKey, describeKey } from "./key-records.ts"

/** Shares of keys. What their owner is shown becomes the certificate of the generation in force. */
export function heldKeys(
  self: ServerSelf,
  presigning: Pick<PresigningRoom, "pool" | "countBurnt">,
  clock: Dependencies["clock"],
): ShareSource {
  const { rosterEpoch } = self.roster
  const records: RecordSource = {
    describe: describeKey,
    agree: (...args) => agreeOnKey({ self, now: clock.now() }, ...args),
  }
  return {
    kind: "keys",
    table: "keys",

    async read(store, id) {
      const row = await readHeldKey(store, id)
      if (row === null) return null
      const { signingShare, public: pkg } = row.value.keyPackage
      return {
        sharing: sharing.sharingOfKey(pkg),
        share: signingShare,
        version: row.version,
        before: null,
      }
    },

    async replace(store, id, { sharing: next, share, certificate }) {
      const row = await readHeldKey(store, id)
      if (row === null) throw new Error("a share that was read has no row")
      const { accountId, state, keyPackage } = row.value
      keyPackage.signingShare.wipe()
      const listingId = `${toHex(accountId)}-${toHex(id)}`
      const listed = await store.read("account-keys", listingId)
      if (listed === null) throw new Error("a key that is held is not listed")
      const pkg = sharing.keyWithSharing(keyPackage.public, next)
      const listing = decode(keyListing, listed.value)
      const { confirmations } = decode(keyCertificateCodec, listing.certificate)
      const before = { public: keyPackage.public, confirmations }
      const proven = sharing.certificateOfKey(before, certificate)
      if (!pkg.ok || !proven.ok) throw new Error("a sharing that was checked is of another key")
      const { identifier } = keyPackage
      const replaced = { identifier, signingShare: share, public: pkg.value }
      const value = encode(keyRow, { accountId, state, keyPackage: replaced })
      const certified = { ...listing, certificate: encode(keyCertificateCodec, proven.value) }
      return [
        { kind: "put", table: "keys", id: toHex(id), ifVersion: row.version, value },
        {
          kind: "put",
          table: "account-keys",
          id: listingId,
          ifVersion: listed.version,
          value: encode(keyListing, certified),
        },
      ]
    },

    async certificate(store, id) {
      const row = await readHeldKey(store, id)
      if (row === null) return null
      row.value.keyPackage.signingShare.wipe()
      const { certificate } = await readListing(store, row.value.accountId, id)
      const decoded = decode(keyCertificateCodec, certificate)
      const { public: pkg, batch } = decoded
      if (batch === undefined) return null
      const confirmations = confirmationsOfHolders(decoded)
      return { sharing: sharing.sharingOfKey(pkg), confirmations, ...batch }
    },

    move: {
      ...records,
      join: (...args) => joinKey(self, ...args),
      leave: leaveKey,
    },

    repair: { ...records, restore: (...args) => restoreKey(self, ...args) },

    // Their rows are taken a while later: nothing reads what the pool has struck off.
    replaced(id, keyEpoch) {
      presigning.countBurnt(presigning.pool.dropOutdated(id, keyEpoch, rosterEpoch))
    },
  }
}
