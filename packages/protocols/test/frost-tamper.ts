import { type Identifier, Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { type Bytes, decode } from "@lockkeeper/encoding"
import { BROADCAST, type Header, headerCodec, signHeader } from "../src/messages/header.ts"
import { type Message, partDigest } from "../src/messages/message.ts"
import { type Cluster, participant, seeded } from "./frost-fixture.ts"

/** A message that its sender signs once more with other content: a dishonest sender. */
export function resign(
  cluster: Cluster,
  sender: Identifier,
  message: Message,
  change: { readonly header?: Partial<Header>; readonly broadcast?: Bytes },
): Message {
  const broadcast = change.broadcast ?? message.broadcast
  const header = { ...decode(headerCodec, message.header.bytes), ...change.header }
  const parts =
    change.header?.parts ?? new Map([[BROADCAST, partDigest(header, BROADCAST, broadcast)]])
  const { identity } = participant(cluster, sender)
  return { header: signHeader(identity, { ...header, parts }), broadcast, sealed: new Map() }
}

/** The message with a sealed part besides, rightly signed. */
export function withSealedPart(cluster: Cluster, sender: Identifier, message: Message): Message {
  const header = decode(headerCodec, message.header.bytes)
  const sealed = seeded("sealed")
  const parts = new Map(header.parts).set(1, partDigest(header, 1, sealed))
  const signed = resign(cluster, sender, message, { header: { parts } })
  return { ...signed, sealed: new Map([[1, sealed]]) }
}

/** The same bytes under a signature of nobody in the roster. */
export function forge(message: Message): Message {
  const stranger = signingKeyFromSeed(new Secret(seeded("stranger")))
  return { ...message, header: signHeader(stranger, decode(headerCodec, message.header.bytes)) }
}

/** A copy with one byte changed. */
export function flipped(bytes: Bytes, at: number): Bytes {
  const copy = new Uint8Array(bytes)
  copy[at] = (copy[at] as number) ^ 1
  return copy
}
