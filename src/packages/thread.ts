/** Starts the thread for one job and waits for its answer, its deadline or the caller's signal, whichever comes first. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { messageOf, ShoalError } from '../model/index.ts'
import { threadEnvironment } from '../slots/index.ts'
import { threadHeapMb, unpackDeadlineMs } from './limits.ts'
import type { Answer, Job } from './thread-jobs.ts'

/** The thread is this file's neighbour, compiled or not. */
const program = new URL(import.meta.url.endsWith('.ts') ? './unpack-thread.ts' : './unpack-thread.js', import.meta.url)

/** @throws ShoalError with the thread's code; the signal's reason if it was aborted; the thread has ended in every case */
export async function runJob(job: Job, signal?: AbortSignal): Promise<Exclude<Answer, { t: 'failed' }>> {
  signal?.throwIfAborted()
  const deadline = AbortSignal.timeout(unpackDeadlineMs)
  const limit = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  const worker = new Worker(program, {
    workerData: job,
    env: threadEnvironment(),
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: threadHeapMb },
  })
  try {
    const [answer] = (await once(worker, 'message', { signal: limit })) as [Answer]
    if (answer.t === 'failed') throw new ShoalError(answer.code, answer.message)
    return answer
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof ShoalError) throw cause
    const what = deadline.aborted ? `took longer than ${unpackDeadlineMs / 1000} s` : messageOf(cause)
    throw new ShoalError('PACKAGE_REJECTED', `contents: judging or unpacking ${job.file}: ${what}`, { cause })
  } finally {
    await worker.terminate()
  }
}
