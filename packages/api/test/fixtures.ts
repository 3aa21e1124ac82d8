import {
  encodeRoster,
  type Member,
  NO_SCHEDULE,
  type Roster,
  type SignedRoster,
  signRoster,
} from "@lockkeeper/api"
import {
  ristretto255,
  Secret,
  type SigningKey,
  sha256,
  sha512,
  signingKeyFromSeed,
  xwingKeyPair,
} from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"

/** Bytes that depend on the label alone, so that a failing test fails again. */
export function seeded(label: string, length: number): Bytes {
  const blocks: Bytes[] = []
  for (let i = 0; i * 32 < length; i++) blocks.push(sha256(utf8(`${label}/${i}`)))
  return concat(...blocks).slice(0, length)
}

export interface TestServer {
  readonly member: Member
  readonly identity: SigningKey
  readonly channelSecret: Secret
}

export function testServer(identifier: number, generation = ""): TestServer {
  const label = `server ${identifier}${generation}`
  const identity = signingKeyFromSeed(new Secret(seeded(`${label} identity`, 32)))
  const channel = xwingKeyPair(seeded(`${label} channel`, 32))
  const opaque = ristretto255.scalarFromUniform(sha512(utf8(`${label} opaque`)))
  return {
    identity,
    channelSecret: channel.secretKey,
    member: {
      identifier,
      name: `server-${identifier}`,
      url: `https://s${identifier}.example:7443`,
      identityKey: identity.publicKey,
      channelKey: channel.publicKey,
      opaqueKey: ristretto255.multiplyBase(opaque),
      operator: `operator ${identifier}`,
      cloud: `cloud ${identifier}`,
      jurisdiction: `jurisdiction ${identifier}`,
    },
  }
}

export function testRoster(servers: readonly TestServer[], changes: Partial<Roster> = {}): Roster {
  return {
    rosterEpoch: 1,
    minSigners: 2,
    members: servers.map(({ member }) => member),
    placement: { distinctOperators: false, distinctClouds: false, distinctJurisdictions: false },
    previousDigest: new Uint8Array(32),
    ...NO_SCHEDULE,
    transition: null,
    createdAt: 1_700_000_000_000,
    ...changes,
  }
}

/** A roster signed by those servers under their own identifiers. */
export function signedBy(roster: Roster, signers: readonly TestServer[]): SignedRoster {
  const encoded = encodeRoster(roster)
  const signatures = new Map(
    signers.map(({ member, identity }) => [member.identifier, signRoster(encoded, identity)]),
  )
  return { roster: encoded, signatures }
}

/** `bytes` with one bit flipped at `offset`. */
export function flipped(bytes: Bytes, offset: number, bit = 0): Bytes {
  const changed = bytes.slice()
  changed[offset] = (changed[offset] as number) ^ (1 << bit)
  return changed
}
