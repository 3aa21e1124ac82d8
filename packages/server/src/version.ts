/** As in package.json; a test compares them. */
export const VERSION = "0.1.0"

/** Version of everything a client has to speak: the wire, the channel, the requests. */
export const PROTOCOL_VERSION = 1
