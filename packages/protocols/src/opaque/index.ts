export {
  acceptDealing,
  activate,
  confirmRegistration,
  type DealingExpectation,
  verifyConfirmations,
} from "./accept.ts"
export {
  type AccountDealing,
  type AccountRecord,
  accountBinding,
  accountDealingCodec,
  accountIdOf,
  accountRecordCodec,
  type Binding,
  type Confirmations,
  confirmationsCodec,
  type Registration,
  registrationCodec,
  registrationDigest,
} from "./account.ts"
export {
  ANSWER_RANDOMNESS_LENGTH,
  answerLogin,
  type LoginQuestion,
  type LoginServer,
  type LoginServerState,
  loginServerStateCodec,
  type VerifiedLogin,
  verifyLogin,
} from "./answer.ts"
export {
  type Identities,
  keyExchangePair,
  type RegistrationRecord,
  registrationRecordCodec,
} from "./envelope.ts"
export type { EvaluationStatement, LoginResponse } from "./evaluation.ts"
export { loginResponseCodec } from "./evaluation.ts"
export { type FakeSource, shownVersion } from "./fake.ts"
export { type FinishedLogin, finishLogin, type LoginSession } from "./finish.ts"
export {
  DEFAULT_GUESS_LIMIT,
  forgiveGuesses,
  type GuessCounter,
  giveGuessBack,
  guessBound,
  guessCounterCodec,
  guessesPossible,
  guessesRemaining,
  newGuessCounter,
  takeGuess,
} from "./guesses.ts"
export {
  asRegistered,
  type HeldAccount,
  type MovedRecord,
  type OprfGeneration,
  type RegisteredUnder,
  verifyMovedRecord,
} from "./held.ts"
export {
  type AccountKeys,
  accountKeysCodec,
  type OpenAccountKeys,
  openAccountKeys,
  storageSubkey,
  unwrapUnderStorageKey,
  type Wrap,
  wrapCodec,
  wrapUnderStorageKey,
} from "./keys.ts"
export { KE1_LENGTH, KE3_LENGTH, PASSWORD_MAX_BYTES } from "./labels.ts"
export {
  type Combined,
  type CombinedLogin,
  combineLogin,
  type LoginFault,
  type LoginPlan,
  type LoginState,
  loginRandomnessLength,
  olderVersions,
  startLogin,
  wipeLogin,
} from "./login.ts"
export type { KeyPair } from "./oprf.ts"
export {
  finishRegistration,
  REGISTRATION_FINISH_RANDOMNESS_LENGTH,
  type RegistrationPlan,
  type RegistrationResult,
  type RegistrationState,
  registrationStartRandomnessLength,
  startRegistration,
} from "./register.ts"
export {
  STRETCHING_BOUNDS,
  type Stretching,
  type StretchingBounds,
  stretchingCodec,
} from "./stretching.ts"
