/** How long an app may take for each thing it is asked. It runs in the node's process, so these are the only bounds there are. */

/** From the first import to the last top-level await. */
export const importMs = 30_000
/** From the call of the app to its instance, unless it asks for more by `host.hold`. */
export const startMs = 30_000
export const healthMs = 5_000
/** Until the app has let go of its data; the switch waits for it. */
export const closeMs = 5_000
/** Bytes of instance/app.env. */
export const maxEnvBytes = 65_536
