/**
 * `npm run bench:idle`: what an idle node costs, and how long it takes to start: a fleet of one with the example app, started again and again;
 * from the start of the loader to its `ready` line, and the memory of loader, supervisor and worker a while later. `--starts N`, `--idle SECONDS`.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { operator, TestFleet, must } from '../e2e/fleet.ts'
import { median, table } from './figures.ts'
import { bench } from './teardowns.ts'

interface Memory {
  readonly rss: number
  readonly pss: number
}

/** MB, as the kernel adds them up; Linux alone tells. */
function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mb = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? NaN) / 1024
  return { rss: mb('Rss'), pss: mb('Pss') }
}

const roles = ['loader', 'supervisor', 'worker'] as const

await bench(async teardowns => {
  const { values } = parseArgs({ options: { starts: { type: 'string', default: '7' }, idle: { type: 'string', default: '10' } } })
  const fleet = await new TestFleet(teardowns).found(1)
  const node = fleet.first
  await must(node.cli(['deploy', resolve('examples/hello'), '--operator', operator, '--soak', '300ms', '--json']))
  await node.stop()
  const times: number[] = []
  const memory: Memory[][] = []
  for (let n = 0; n < Number(values.starts); n++) {
    await node.start()
    times.push(node.readyMs)
    await sleep(Number(values.idle) * 1000)
    memory.push(node.pids().map(memoryOf))
    await node.stop()
  }
  const of = (at: number, key: keyof Memory): number => median(memory.map(each => each[at]?.[key] ?? NaN))
  const sum = (key: keyof Memory): number => median(memory.map(each => each.reduce((all, m) => all + m[key], 0)))
  const rows = roles.map((role, at) => [role, of(at, 'pss'), of(at, 'rss')])
  console.log(table(['idle, MB', 'PSS', 'RSS'], [...rows, ['together', sum('pss'), sum('rss')]]))
  console.log(`start to ready, ms: median ${Math.round(median(times))} of ${times.map(Math.round).join(', ')}`)
})
