/**
 * The process of one job beside the node. It ends with its parent also while a job of its own keeps the event loop: a thread sees that the parent
 * is gone and ends the whole group. On Windows the system does that.
 */
import { Worker } from 'node:worker_threads'
import { groupOf } from '../slots/index.ts'
import { type AsideJob, answerOf } from './aside-jobs.ts'

/** Who started it says who it is: by the time that this process looks, it may have another parent already. */
const parent = Number(process.argv[2])

/** Plain JavaScript, since it has no file. A process whose parent is gone gets another one. */
const watch = `
setInterval(() => { if (process.ppid !== ${parent}) process.kill(${groupOf(process.pid)}, 'SIGKILL') }, 500)
`

process.title = 'shoal aside'
new Worker(watch, { eval: true, env: {} }).unref()
process.once('disconnect', () => process.exit(1))
process.once('message', (job: AsideJob) => {
  void answerOf(job).then(answer => process.send?.(answer, undefined, {}, () => process.exit(0)))
})
