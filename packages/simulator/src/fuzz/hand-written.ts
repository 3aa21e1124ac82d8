import { readFileSync } from "node:fs"
import type { Decoder } from "./decoder.ts"
import { sourceFiles } from "./modules.ts"

/** How source reads bytes or JSON that no codec reads for it. */
const READS = /JSON\.parse\(|new Reader\(|\.getUint(?:16|32)\(|fromBinary\(/

/** Files that do so, each with the decoder that tries it; null for bytes that they made themselves. */
const READERS: Readonly<Record<string, string | null>> = {
  "packages/api/src/channel/padding.ts": "sealed: padding",
  "packages/cli/src/agent/frames.ts": "agent: frame",
  "packages/cli/src/dev/cluster-files.ts": "file: plan of a development cluster",
  "packages/cli/src/settings.ts": "file: settings of the command line",
  "packages/cli/src/transactions/evm.ts": "transaction: EVM",
  "packages/cli/src/transactions/solana.ts": "transaction: Solana",
  "packages/client/src/operator/repair-batch.ts": null,
  "packages/crypto/src/scalar-vectors/rest.ts": null,
  "packages/encoding/src/codec.ts": "packages/encoding/src/codec.ts:u8",
  "packages/encoding/src/json.ts": "transaction: EIP-712 typed data",
  "packages/encoding/src/reader.ts": "packages/encoding/src/codec.ts:u8",
  "packages/protocols/src/ecdsa/der.ts": "signature: DER",
  "packages/protocols/src/opaque/fake.ts": null,
  "packages/server/src/config/read.ts": "file: server configuration",
  "packages/server/src/control/requests.ts": "control: answer",
  "packages/server/src/directory/descriptor.ts": "file: server descriptor",
  "packages/server/src/guesses.ts": null,
  "packages/server/src/sealing/sealed-bytes.ts": "sealed: row of the store",
  "packages/transactions/src/solana/layout.ts": "intent: Solana message",
  "packages/transactions/src/solana/message.ts": "intent: Solana message",
  "packages/transparency/src/notes/note-key.ts": "log: signed checkpoint",
  "packages/transparency/src/notes/note.ts": "log: signed note",
  "packages/transparency/src/tiles/entry-bundle.ts": "log: bundle of entries",
}

/**
 * Source files that read by themselves and that no decoder here is known to try, or that are listed
 * with a decoder that there is not.
 */
export function untriedReaders(root: string, decoders: readonly Decoder[]): readonly string[] {
  const names = new Set(decoders.map(({ name }) => name))
  return sourceFiles(root).filter((path) => {
    if (!READS.test(readFileSync(new URL(path, root), "utf8"))) return false
    const reader = READERS[path]
    return reader === undefined || (reader !== null && !names.has(reader))
  })
}
