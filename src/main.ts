/** Wires the worker to its supervisor: messages in, messages out, one beat a second. The one place that touches the process. */
import { type FromWorker, messageOf, parseToWorker } from './model/index.ts'
import { jsonLog } from './node/log.ts'
import { Worker } from './node/worker.ts'
import { endGroupOf, isWindows } from './slots/index.ts'

const beatMs = 1000
/** ms in which a worker whose supervisor is gone ends what is in flight. */
const orphanGraceMs = 2000

/** Runs until the supervisor says stop or is gone. */
export async function work(argv: readonly string[]): Promise<void> {
  const at = argv.indexOf('--home')
  const home = at === -1 ? undefined : argv[at + 1]
  if (home === undefined || process.send === undefined) throw new Error('work: is started by the supervisor')
  process.title = 'shoal worker'
  const log = jsonLog(
    line => process.stderr.write(line),
    () => new Date(),
  )
  const tell = (message: FromWorker): void => {
    if (process.connected) process.send?.(message)
  }
  const worker = new Worker({
    home,
    log,
    send: message => tell(message),
    exit: code => {
      // Nobody is left who would end what the app started.
      if (!process.connected && !isWindows) endGroupOf(process.pid)
      process.exit(code)
    },
  })
  // Ctrl-C reaches the whole group; who stops whom is the supervisor's business.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
  process.once('disconnect', () => void worker.stop(orphanGraceMs))
  let queue = Promise.resolve()
  process.on('message', (raw: unknown, handle: unknown) => {
    try {
      const message = parseToWorker(raw)
      // `stop` waits for nobody: what lasts may be what has to be stopped.
      if (message?.t === 'stop') void worker.handle(message, handle)
      else if (message !== null) queue = queue.then(() => worker.handle(message, handle))
    } catch (error) {
      log('message not understood', { error: messageOf(error) })
    }
  })
  setInterval(() => tell({ t: 'beat' }), beatMs)
  await queue
}
