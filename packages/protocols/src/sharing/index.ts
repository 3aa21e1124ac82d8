export { type Sharing, sharingCodec, sharingDigest } from "./sharing.ts"
export { continues, keyWithSharing, sharingOfAccount, sharingOfKey } from "./sources.ts"
