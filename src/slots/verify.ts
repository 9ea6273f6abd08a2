/** `verifySlot` in a thread of its own: hashing Node.js's 120 MB takes half a second that a serving node has not. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { ShoalError } from '../model/index.ts'
import { verifyDeadlineMs } from './limits.ts'
import { threadEnvironment } from './thread-environment.ts'

/** The thread is this file's neighbour, compiled or not. */
const program = new URL(import.meta.url.endsWith('.ts') ? './verify-thread.ts' : './verify-thread.js', import.meta.url)

/** What differs from files.json, one line each. @throws ShoalError HOME_DAMAGED if the list cannot be read; the signal's reason */
export async function verifySlotAside(dir: string, signal: AbortSignal): Promise<readonly string[]> {
  signal.throwIfAborted()
  const worker = new Worker(program, { workerData: dir, env: threadEnvironment(), execArgv: [] })
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(verifyDeadlineMs)])
    const [answer] = (await once(worker, 'message', { signal: limit })) as [readonly string[] | string]
    if (typeof answer === 'string') throw new ShoalError('HOME_DAMAGED', answer)
    return answer
  } finally {
    await worker.terminate()
  }
}
