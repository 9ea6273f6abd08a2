/**
 * Imports an app's entry once, in a process of its own with the same Node.js: what would fail at every node's start fails at packing.
 * The process is ended after its answer or its deadline, whatever the app does at import.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { Fields, ShoalError } from '../model/index.ts'
import { importDeadlineMs } from './limits.ts'

/** Run by the child; answers over IPC, since the app may print. */
const program = `
const say = answer => process.send(answer, () => process.exit(0))
process.on('uncaughtException', e => say({ error: String(e?.stack ?? e) }))
import(process.argv[1]).then(
  m => say({ type: typeof m.default }),
  e => say({ error: String(e?.stack ?? e) }),
)`

/**
 * @param file the entry of an unpacked package
 * @throws ShoalError APP_IMPORT_FAILED with the app's message, also if it takes longer than 20 s or exports no function
 */
export async function checkImport(file: string, signal?: AbortSignal, deadlineMs = importDeadlineMs): Promise<void> {
  signal?.throwIfAborted()
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, pathToFileURL(file).href], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: {},
  })
  const deadline = AbortSignal.timeout(deadlineMs)
  const limit = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  const kill = (): boolean => child.kill('SIGKILL')
  limit.addEventListener('abort', kill)
  const heard: { answer?: unknown; errors: string } = { errors: '' }
  child.on('message', message => (heard.answer ??= message))
  child.stderr?.on('data', (chunk: Buffer) => (heard.errors = (heard.errors + chunk.toString()).slice(-2000)))
  try {
    // Not 'close': a grandchild may hold the pipe open for ever. After 'disconnect' every message has been heard.
    const exited = once(child, 'exit')
    await once(child, 'disconnect')
    const [code] = (await exited) as [number | null]
    signal?.throwIfAborted()
    judgeAnswer(heard.answer, deadline.aborted ? `did not end within ${deadlineMs / 1000} s` : `exit ${code}: ${heard.errors}`)
  } finally {
    limit.removeEventListener('abort', kill)
    kill()
    child.stderr?.destroy()
  }
}

function judgeAnswer(answer: unknown, otherwise: string): void {
  const failed = (message: string): ShoalError => new ShoalError('APP_IMPORT_FAILED', message.slice(0, 1000))
  if (answer === undefined) throw failed(`the entry, imported, ${otherwise}`)
  const f = new Fields(answer, 'answer')
  if (f.has('error')) throw failed(f.string('error', 1 << 20))
  const type = f.string('type', 20)
  if (type !== 'function')
    throw failed(`the entry's default export is ${type === 'undefined' ? 'missing' : `a ${type}`}, expected a function`)
}
