export { accountMovedTo, accountWithSharing, sharingOfHeldAccount } from "./accounts.ts"
export {
  compareGenerations,
  type Generation,
  type Sharing,
  sharingCodec,
  sharingDigest,
} from "./sharing.ts"
export {
  certificateOfKey,
  continues,
  FIRST_KEY_EPOCH,
  keyWithSharing,
  sharingOfAccount,
  sharingOfKey,
} from "./sources.ts"
