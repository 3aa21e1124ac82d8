export {
  BASE_OT_RECEIVER_MESSAGE_LENGTH,
  BASE_OT_RECEIVER_RANDOMNESS,
  BASE_OT_SENDER_MESSAGE_LENGTH,
  BASE_OT_SENDER_RANDOMNESS,
  type BaseOtReceiver,
  type BaseOtSender,
  baseOtReceive,
  baseOtReceiverCodec,
  baseOtSend,
  baseOtSenderCodec,
  receiverSeeds,
  senderSeeds,
} from "./base-ot.ts"
export { type PairSetup, pairSetupCodec, wipePairSetup } from "./pair-setup.ts"
export {
  RVOLE_RECEIVER_RANDOMNESS,
  type RvoleReceiver,
  rvoleFinish,
  rvoleReceive,
  rvoleReceiverCodec,
} from "./receiver.ts"
export { RVOLE_SENDER_RANDOMNESS, rvoleSend } from "./sender.ts"
export { rvoleReceiverMessageLength, rvoleSenderMessageLength } from "./sizes.ts"
export type { RvoleInput } from "./transcript.ts"
