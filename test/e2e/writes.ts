/**
 * A node that stands still at one of its durable writes in a deployment that migrates its data, is killed there, with all its processes or alone, and must come back
 * with the old release or the new one, never with less.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import { currentOf, makeFaultApp, meet, treasures } from './faults.ts'
import { type TestFleet, type TestNode, until } from './fleet.ts'

/** `role when name count`, e.g. `supervisor before current.json 1`. */
export type WritePoint = string

export class WriteFaults {
  readonly #fleet: TestFleet
  readonly #node: TestNode
  readonly #arm: string
  readonly #log: string
  #version = 1

  constructor(fleet: TestFleet, node: TestNode) {
    this.#fleet = fleet
    this.#node = node
    this.#arm = join(fleet.dir, 'armed')
    this.#log = join(fleet.dir, 'writes.log')
  }

  get version(): string {
    return `1.0.${this.#version}`
  }

  /** Every write of one deployment, in order, each with how often it was met before in that process's role. */
  async record(): Promise<readonly WritePoint[]> {
    await this.#restart('')
    writeFileSync(this.#arm, '')
    const done = await this.#deploy()
    rmSync(this.#arm)
    if (done.code !== 0) throw new Error(done.stderr)
    const counts = new Map<string, number>()
    return this.#lines().map(line => {
      const count = (counts.get(line) ?? 0) + 1
      counts.set(line, count)
      return `${line} ${count}`
    })
  }

  /** Deploys, kills at the point, starts again, and sees that the node has come to an end with one of both releases. */
  async killAt(t: Test, point: WritePoint, isAlone: boolean): Promise<void> {
    await this.#restart(point)
    const before = { treasures: treasures(this.#node), answer: await meet(this.#node) }
    writeFileSync(this.#arm, '')
    const deployed = this.#deploy()
    await until(`${point} is reached`, async () => this.#standing() !== null, 20_000)
    rmSync(this.#arm)
    const startedAt = performance.now()
    await this.#kill(isAlone)
    const answers = [before.answer, `app ${this.version}`]
    await until(`${point}: one of both answers`, async () => answers.includes(await meet(this.#node)))
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10
    await until(`${point}: nothing is half done`, async () => this.#isSettled())
    await deployed
    const ended = (await meet(this.#node)).slice('app '.length)
    t.comment(`| ${point}${isAlone ? ' alone' : ''} | ${ended === this.version ? 'the new one' : 'the old one'} | ${seconds} |`)
    t.ok(answers.includes(`app ${ended}`), `${point}: ${ended}`)
    t.same(treasures(this.#node), before.treasures, `${point}: identity, config.json and data as they were`)
  }

  /** Stands still at a write of what somebody asks of it meanwhile, is killed there, and serves as before. */
  async killIn(t: Test, point: WritePoint, act: () => Promise<unknown>): Promise<void> {
    await this.#restart(point)
    const answer = await meet(this.#node)
    writeFileSync(this.#arm, '')
    const acted = act()
    await until(`${point} is reached`, async () => this.#standing() !== null, 20_000)
    rmSync(this.#arm)
    await this.#kill(false)
    await acted
    t.equal(await meet(this.#node), answer, `${point}: it serves as before`)
  }

  /** Stands still at a write of a start, is killed there, and starts as if nothing had been. @param spoil done before it starts */
  async killAtStart(t: Test, point: WritePoint, spoil = (): void => undefined): Promise<void> {
    const node = this.#node
    const answer = await meet(node)
    await node.kill()
    spoil()
    rmSync(this.#log, { force: true })
    writeFileSync(this.#arm, '')
    const started = node.start(this.#environment(point)).catch(() => undefined)
    await until(`${point} is reached`, async () => this.#standing() !== null, 20_000)
    rmSync(this.#arm)
    const before = treasures(node)
    await node.kill()
    await started
    await node.start()
    t.equal(await meet(node), answer, `${point}, at start`)
    t.same(treasures(node), before, `${point}: identity, config.json and data as they were`)
  }

  async #kill(isAlone: boolean): Promise<void> {
    const pid = this.#standing() ?? 0
    const isLoader = pid === this.#node.child?.pid
    if (isAlone) process.kill(pid, 'SIGKILL')
    if (isAlone && !isLoader) return
    if (!isAlone) await this.#node.kill()
    await this.#node.start()
  }

  async #isSettled(): Promise<boolean> {
    if (currentOf(this.#node).state !== 'good') return false
    const { step } = await this.#node.api('nodes/self')
    return step === 'idle' || step === 'waiting'
  }

  #deploy(): ReturnType<TestFleet['deploy']> {
    this.#version++
    return this.#fleet.deploy(this.#node, makeFaultApp(join(this.#fleet.dir, 'apps'), this.version, { dataVersion: this.#version }))
  }

  async #restart(point: WritePoint): Promise<void> {
    rmSync(this.#log, { force: true })
    await this.#node.stop()
    await this.#node.start(this.#environment(point))
  }

  #environment(point: WritePoint): Record<string, string> {
    const preload = `--import=${resolve('test/fixtures/faults/at-write.mjs')}`
    return { NODE_OPTIONS: preload, FAULT_AT: point, FAULT_ARM: this.#arm, FAULT_LOG: this.#log }
  }

  #lines(): readonly string[] {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8').split('\n').filter(Boolean) : []
  }

  #standing(): number | null {
    return standing(this.#log)
  }
}

/** The process that stands still at its write; null: none does yet. */
export function standing(log: string): number | null {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : []
  const line = lines.find(each => each.startsWith('standing '))
  return line === undefined ? null : Number(line.split(' ')[1])
}
