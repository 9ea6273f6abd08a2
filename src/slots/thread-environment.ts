/**
 * The environment of a thread of ours: nothing of the process's, but where compiled code is kept. Without it each thread would strip the types of its
 * modules anew, by WebAssembly: that costs time, and threads that make and free such code at once have ended whole processes (a fault of V8's).
 */
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'

/** For `new Worker(…, { env })`. */
export function threadEnvironment(): Record<string, string> {
  const versioned = getCompileCacheDir() // Node.js adds a folder of its own for each version
  return versioned === undefined ? {} : { NODE_COMPILE_CACHE: dirname(versioned) }
}
