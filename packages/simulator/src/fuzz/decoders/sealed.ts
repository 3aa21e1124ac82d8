import {
  acceptHello,
  answerHello,
  type Channel,
  finishHello,
  openFrame,
  sealFrame,
  startHello,
} from "@lockkeeper/api"
import { Secret, signingKeyFromSeed, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { openFirst, type SealedPlace, sealFirst } from "@lockkeeper/protocols"
import { ACCEPTED, type Decoder, REFUSED } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { ofBytes } from "./made-of.ts"

const CONTENT = utf8("what nobody in between may read")

const opened = (value: unknown) => (value === null ? REFUSED : ACCEPTED)

/** What is sealed: for a channel, for a participant, for a row of the store. */
export function sealedDecoders(inside: Inside): readonly Decoder[] {
  return [...channelDecoders(inside), partDecoder(), rowDecoder(inside)]
}

function channelDecoders(inside: Inside): readonly Decoder[] {
  const { publicKey: channelKey, secretKey } = xwingKeyPair(new Uint8Array(32).fill(1))
  const target = { server: 1, rosterEpoch: 1, channelKey }
  const { state, hello } = startHello(target, new Uint8Array(96).fill(2), () => CONTENT.slice())
  type ChannelOf = (sessionId: Bytes, phase: number, root: Secret) => Channel
  const channelOf = nameIn<ChannelOf>(inside, "packages/api/src/channel/frames.ts", "channelOf")
  const channel = channelOf(new Uint8Array(16), 0, new Secret(new Uint8Array(32).fill(3)))
  const padding = "packages/api/src/channel/padding.ts"
  const pad = nameIn<(content: Bytes) => Bytes>(inside, padding, "pad")
  const unpad = nameIn<(padded: Bytes) => Bytes>(inside, padding, "unpad")
  const accepted = acceptHello(secretKey, hello)
  if (accepted === null) throw new Error("the hello does not open")
  const identity = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(4)))
  const answer = answerHello(accepted, identity, new Uint8Array(80).fill(5))?.seal(CONTENT)
  if (answer === undefined) throw new Error("the hello is not answered")
  return [
    ofBytes({
      name: "sealed: hello",
      samples: [hello],
      weight: 0.2,
      read: (input) => opened(acceptHello(secretKey, input)),
    }),
    ofBytes({
      name: "sealed: padding",
      samples: [pad(CONTENT), pad(new Uint8Array(300)), pad(new Uint8Array(0))],
      read: (input) => ({ accepted: true, again: pad(unpad(input)) }),
    }),
    ofBytes({
      name: "sealed: frame of a channel",
      samples: [1, 2].map(() => sealFrame(channel, "to-server", 1, CONTENT)),
      // One place has one sealing of one content.
      read(input) {
        const content = openFrame(channel, "to-server", 1, input)
        if (content === null) return REFUSED
        return { accepted: true, again: sealFrame(channel, "to-server", 1, content) }
      },
    }),
    ofBytes({
      name: "sealed: answer to a hello",
      samples: [answer],
      weight: 0.2,
      read(input) {
        // What is kept of a hello is used up by its answer.
        const { helloDigest, clientSecret, shared } = state
        const copies = {
          helloDigest,
          clientSecret: Secret.copyOf(clientSecret.expose()),
          shared: Secret.copyOf(shared.expose()),
        }
        return opened(finishHello(copies, identity.publicKey, input))
      },
    }),
  ]
}

function partDecoder(): Decoder {
  const { publicKey, secretKey } = xwingKeyPair(new Uint8Array(32).fill(6))
  const place: SealedPlace = {
    slot: {
      ...{ protocol: "dkg", step: 1, attempt: 1, sessionId: new Uint8Array(32) },
      ...{ rosterEpoch: 1, sender: 1 },
    },
    recipient: 2,
  }
  const { part } = sealFirst(place, publicKey, new Uint8Array(64).fill(7), CONTENT)
  return ofBytes({
    name: "sealed: part of a message",
    samples: [part],
    weight: 0.2,
    read: (input) => opened(openFirst(place, secretKey, input)),
  })
}

function rowDecoder(inside: Inside): Decoder {
  type Open = (key: Secret, place: Bytes, sealed: Bytes) => Bytes | null
  type Seal = (key: Secret, place: Bytes, content: Bytes, randomness: Bytes) => Bytes
  const path = "packages/server/src/sealing/sealed-bytes.ts"
  const open = nameIn<Open>(inside, path, "openBytes")
  const seal = nameIn<Seal>(inside, path, "sealBytes")
  const key = new Secret(new Uint8Array(32).fill(8))
  const place = utf8("table/row")
  const sealed = (content: Bytes) => seal(key, place, content, new Uint8Array(48).fill(9))
  return ofBytes({
    name: "sealed: row of the store",
    samples: [sealed(CONTENT), sealed(new Uint8Array(0)), sealed(new Uint8Array(1000))],
    // From the same randomness, a content has one sealing.
    read(input) {
      const content = open(key, place, input)
      return content === null ? REFUSED : { accepted: true, again: sealed(content) }
    },
  })
}
