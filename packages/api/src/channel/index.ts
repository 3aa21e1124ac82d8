export {
  advanceChannel,
  type Channel,
  type Direction,
  MAX_COUNTER,
  MAX_FRAME,
  openFrame,
  sealFrame,
  wipeChannel,
} from "./frames.ts"
export {
  type AcceptedHello,
  acceptHello,
  answerHello,
  CHANNEL_VERSION,
  finishHello,
  type HelloBinding,
  type HelloState,
  MAX_HELLO,
  startHello,
} from "./handshake.ts"
export { ReplayWindow } from "./replay-window.ts"
