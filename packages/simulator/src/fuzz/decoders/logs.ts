import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import {
  cosignCheckpoint,
  decideAddCheckpoint,
  decodeEntryBundle,
  EMPTY_ROOT,
  encodeEntryBundle,
  formatAddCheckpoint,
  formatCheckpoint,
  formatNote,
  formatNoteKey,
  logKeyOf,
  openCheckpoint,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  parseNoteKey,
  parseTilePath,
  signCheckpoint,
  tilePath,
  witnessKeyOf,
} from "@lockkeeper/transparency"
import type { Decoder } from "../decoder.ts"
import { ofBytes, ofText } from "./made-of.ts"

const identity = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(7)))
const witness = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(8)))
const logKey = logKeyOf(identity.publicKey)
const witnessKey = witnessKeyOf(witness.publicKey)
const checkpoint = signCheckpoint({ treeSize: 5, rootHash: EMPTY_ROOT }, identity)

function cosigned(): string {
  const note = parseNote(checkpoint)
  return formatNote({
    ...note,
    signatures: [...note.signatures, cosignCheckpoint(note, witness, 1_700_000_000)],
  })
}

/** What logs publish and witnesses are asked. */
export function logDecoders(): readonly Decoder[] {
  const asked = formatAddCheckpoint({ oldSize: 3, proof: [EMPTY_ROOT, EMPTY_ROOT], checkpoint })
  const first = formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint })
  return [
    ofText({
      name: "log: signed note",
      samples: [checkpoint, cosigned()],
      read: (text) => formatNote(parseNote(text)),
    }),
    ofText({
      name: "log: verifier key",
      samples: [formatNoteKey(logKey), formatNoteKey(witnessKey)],
      read: (text) => formatNoteKey(parseNoteKey(text)),
    }),
    ofText({
      name: "log: text of a checkpoint",
      samples: [
        parseNote(checkpoint).text,
        "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
      ],
      read: (text) => formatCheckpoint(parseCheckpoint(text)),
    }),
    ofText({
      name: "log: signed checkpoint",
      samples: [checkpoint, cosigned()],
      read: (text) => openCheckpoint(text, logKey, [witnessKey]).valid,
    }),
    ofText({
      name: "log: request to a witness",
      samples: [asked, first],
      read: (text) => formatAddCheckpoint(parseAddCheckpoint(text)),
    }),
    ofText({
      name: "log: witness",
      samples: [first],
      read: (text) =>
        decideAddCheckpoint(text, {
          logs: [logKey],
          latest: () => null,
          identity: witness,
          seconds: 0,
        }).status === 200,
    }),
    ofText({
      name: "log: path of a tile",
      samples: ["tile/0/000", "tile/3/x001/234.p/17", "tile/entries/x001/x234/067"],
      read: (text) => tilePath(parseTilePath(text)),
    }),
    ofBytes({
      name: "log: bundle of entries",
      samples: [encodeEntryBundle([utf8("one"), utf8(""), utf8("three")])],
      read: (input) => ({ accepted: true, again: encodeEntryBundle(decodeEntryBundle(input)) }),
    }),
  ]
}
