/** Starts the process of one job, waits for its answer, and ends it whole: it, and all that it started. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Code, ShoalError } from '../model/index.ts'
import { endGroup, withGroup } from '../slots/index.ts'
import type { AsideAnswer, AsideJob, AsideResults } from './aside-jobs.ts'

/** The program is this file's neighbour, compiled or not. */
const program = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './aside-program.ts' : './aside-program.js', import.meta.url))

/** How a process differs from a plain one. */
interface AsideOptions {
  readonly cwd?: string
  readonly execArgv?: readonly string[]
  /** What it means that the process ended without an answer. */
  readonly endedAs?: Code
}

/** @throws ShoalError with the job's own code; `endedAs` if the process ended without an answer; the signal's reason. It has ended in every case */
export async function runAside<T extends AsideJob['t']>(
  job: Extract<AsideJob, { readonly t: T }>,
  signal: AbortSignal,
  { cwd, execArgv = [], endedAs = 'INTERNAL' }: AsideOptions = {},
): Promise<AsideResults[T]> {
  signal.throwIfAborted()
  const place = cwd === undefined ? {} : { cwd }
  const child = fork(program, [String(process.pid)], {
    execArgv: [...execArgv],
    ...withGroup,
    ...place,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const onAbort = (): void => endGroup(child)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const answer = await answerTo(child, job, endedAs)
    signal.throwIfAborted()
    if (answer.t === 'failed') throw new ShoalError(answer.code, answer.message)
    return answer.value as AsideResults[T]
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    endGroup(child)
  }
}

/** Resolves when the process has ended, so that nothing of it writes any more. */
function answerTo(child: ChildProcess, job: AsideJob, endedAs: Code): Promise<AsideAnswer> {
  return new Promise((resolve, reject) => {
    let answer: AsideAnswer | null = null
    child.on('message', message => {
      // An app's code may run there, and may have messages of its own.
      if (isAnswer(message)) answer ??= message
    })
    child.once('error', reject)
    child.once('exit', (code, how) => {
      endGroup(child) // what it started
      if (answer !== null) resolve(answer)
      else reject(new ShoalError(endedAs, `${job.t}: the process ended without an answer (${how ?? `exit code ${code ?? 'unknown'}`})`))
    })
    child.send(job, () => undefined)
  })
}

const isAnswer = (message: unknown): message is AsideAnswer =>
  typeof message === 'object' && message !== null && 't' in message && (message.t === 'done' || message.t === 'failed')
