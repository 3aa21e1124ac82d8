import { hmacSha256, Secret } from "@lockkeeper/crypto"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import type { DeviceSecrets, Randomness } from "../src/dependencies.ts"

/** A device whose secrets live as long as the test. */
export class TestDevice implements DeviceSecrets {
  readonly #secrets = new Map<string, Bytes>()
  readonly #randomness: Randomness

  constructor(randomness: Randomness) {
    this.#randomness = randomness
  }

  async derive(accountId: Bytes, input: Bytes): Promise<Secret | null> {
    const secret = this.#secrets.get(toHex(accountId))
    return secret === undefined ? null : new Secret(hmacSha256(secret, input))
  }

  async deriveOrMake(accountId: Bytes, input: Bytes): Promise<Secret> {
    const id = toHex(accountId)
    if (!this.#secrets.has(id)) this.#secrets.set(id, this.#randomness.bytes(32))
    return (await this.derive(accountId, input)) as Secret
  }
}
