import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, concat } from "@lockkeeper/encoding"
import { RawOldTx } from "@scure/btc-signer/script.js"
import type { Psbt } from "./psbt.ts"

const ANYONE_CAN_PAY = 0x80
const NONE = 2
const SINGLE = 3

/** An output that SIGHASH_SINGLE blanks: amount -1, no script. */
const BLANK = { amount: 0xffff_ffff_ffff_ffffn, script: new Uint8Array(0) }

/**
 * The digest of an input before segregated witness: the double SHA-256 of the transaction with the
 * spent script in the place of this input's scriptSig and every other scriptSig empty, and of the
 * sighash type in four bytes.
 *
 * @param script - without OP_CODESEPARATOR.
 * @param sighash - one of the six standard types; SIGHASH_SINGLE needs an output of the same index.
 */
export function legacyDigest(psbt: Psbt, at: number, script: Bytes, sighash: number): Bytes {
  const scope = sighash & 0x1f
  const own = (index: number) => index === at
  const inputs = psbt.inputs.map(({ txid, index, sequence }, i) => ({
    txid,
    index,
    finalScriptSig: own(i) ? script : new Uint8Array(0),
    sequence: own(i) || (scope !== NONE && scope !== SINGLE) ? sequence : 0,
  }))
  const outputs = psbt.outputs.map(({ amount, script: paid }) => ({ amount, script: paid }))
  const signedOutputs = {
    [NONE]: [],
    [SINGLE]: outputs.slice(0, at + 1).map((output, i) => (own(i) ? output : BLANK)),
  }[scope]
  const preimage = RawOldTx.encode({
    version: psbt.version,
    inputs: sighash & ANYONE_CAN_PAY ? inputs.filter((_, i) => own(i)) : inputs,
    outputs: signedOutputs ?? outputs,
    lockTime: psbt.lockTime,
  })
  return sha256(sha256(concat(preimage, Uint8Array.of(sighash, 0, 0, 0))))
}
