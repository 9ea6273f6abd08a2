/** Starts the process of one job, waits for its answer, and ends it whole: it, and all that it started. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ShoalError } from '../model/index.ts'
import type { AsideAnswer, AsideJob, AsideResults } from './aside-jobs.ts'

/** The program is this file's neighbour, compiled or not. */
const program = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './aside-program.ts' : './aside-program.js', import.meta.url))

/** On POSIX it leads a group of its own, so that what it starts ends with it. */
const hasGroup = process.platform !== 'win32'

/** @throws ShoalError with the job's own code; INTERNAL if the process ended without an answer; the signal's reason. It has ended in every case */
export async function runAside<T extends AsideJob['t']>(
  job: Extract<AsideJob, { readonly t: T }>,
  signal: AbortSignal,
): Promise<AsideResults[T]> {
  signal.throwIfAborted()
  const child = fork(program, { execArgv: [], detached: hasGroup, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const onAbort = (): void => end(child)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const answer = await answerTo(child, job)
    signal.throwIfAborted()
    if (answer.t === 'failed') throw new ShoalError(answer.code, answer.message)
    return answer.value as AsideResults[T]
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    end(child)
  }
}

/** Resolves when the process has ended, so that nothing of it writes any more. */
function answerTo(child: ChildProcess, job: AsideJob): Promise<AsideAnswer> {
  return new Promise((resolve, reject) => {
    let answer: AsideAnswer | null = null
    child.once('message', (message: AsideAnswer) => {
      answer = message
    })
    child.once('error', reject)
    child.once('exit', (code, how) => {
      end(child) // what it started
      if (answer !== null) resolve(answer)
      else reject(new ShoalError('INTERNAL', `${job.t}: the process ended without an answer (${how ?? `exit code ${code ?? 'unknown'}`})`))
    })
    child.send(job, () => undefined)
  })
}

function end(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    if (hasGroup) process.kill(-child.pid, 'SIGKILL')
    else child.kill('SIGKILL')
  } catch {
    // Nobody of it is left.
  }
}
