/** What each hash of the oblivious transfers is for; `hashValue` prefixes the project's name. */
export const LABELS = {
  baseScalar: "dkls/ot/base/scalar",
  basePoint: "dkls/ot/base/point",
  baseSeed: "dkls/ot/base/seed",
  columns: "dkls/ot/extension/columns",
  challenge: "dkls/ot/extension/challenge",
  combination: "dkls/ot/extension/combination",
  receiverMessage: "dkls/ot/extension/message",
  choice: "dkls/ot/rvole/choice",
  gadget: "dkls/ot/rvole/gadget",
  pads: "dkls/ot/rvole/pads",
  salt: "dkls/ot/rvole/salt",
  mask: "dkls/ot/rvole/mask",
  theta: "dkls/ot/rvole/theta",
  multiplication: "dkls/ot/rvole/multiplication",
} as const
