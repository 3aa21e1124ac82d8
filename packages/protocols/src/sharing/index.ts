export { accountMovedTo, accountWithSharing, sharingOfHeldAccount } from "./accounts.ts"
export { type Sharing, sharingCodec, sharingDigest } from "./sharing.ts"
export {
  certificateOfKey,
  continues,
  keyWithSharing,
  sharingOfAccount,
  sharingOfKey,
} from "./sources.ts"
