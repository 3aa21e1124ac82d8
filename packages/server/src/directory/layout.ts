/** The files of a server's directory, each readable by its owner only. */
export const FILES = {
  /** What the operator wrote: ports, certificate, limits. */
  config: "server.json",
  /** The key-encryption key, wrapped by the seal provider. */
  seal: "seal",
  /** Sealed rows and the log. */
  database: "database.sqlite",
  /** Where the last orderly stop left the log; there only while the server is stopped. */
  anchor: "anchor",
  /** Held by the process that runs the server; empty. */
  lock: "lock",
  /** Where the operator asks the running server; a socket, there only while it runs. */
  control: "control.sock",
  /** Public: the server's row for a roster, signed by itself. */
  descriptor: "descriptor.json",
} as const
