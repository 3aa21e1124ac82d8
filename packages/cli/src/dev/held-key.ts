import { readFileSync } from "node:fs"
import { KEY_STATES, type KeyState } from "@lockkeeper/api"
import { Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, oneOf, struct, utf8 } from "@lockkeeper/encoding"
import { type KeyPackage, keyPackageCodec } from "@lockkeeper/protocols"
import type { Unsealed } from "@lockkeeper/server"
import { withServer } from "../server-directory.ts"
import type { Cluster } from "./cluster.ts"
import { passphraseFile, serverDirectory } from "./cluster-files.ts"

/** A server's share of a key, with what it keeps beside it. */
export interface HeldKey {
  readonly accountId: Bytes
  readonly state: KeyState
  readonly keyPackage: KeyPackage
}

/** As the server writes it; a change of it fails here with a DecodeError. */
export const heldKey: Codec<HeldKey> = struct<HeldKey>({
  accountId: fixedBytes(32),
  state: oneOf(...KEY_STATES),
  keyPackage: keyPackageCodec,
})

/** Runs `use` on the unsealed directory of a local cluster's server that does not run. */
export function inServer<T>(
  { directory }: Pick<Cluster, "directory">,
  server: number,
  use: (unsealed: Unsealed) => Promise<T>,
): Promise<T> {
  const phrase = readFileSync(passphraseFile(directory, server), "utf8").trim()
  return withServer(serverDirectory(directory, server), new Secret(utf8(phrase)), use)
}
