/**
 * docs/get-started.md, command by command, on two homes of this machine. What a block shows below a command must be in what the command
 * printed, line by line in that order; `…` stands for anything. Only this differs from two machines: ports are free ones, and npx is ours.
 */
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'

interface Step {
  readonly box: string
  readonly command: string
  readonly prints: readonly string[]
}

function stepsOf(page: string): readonly Step[] {
  const steps: { box: string; command: string; prints: string[] }[] = []
  for (const [, block = ''] of page.matchAll(/^```console\n(.*?)^```/gms)) {
    for (const line of block.trimEnd().split('\n')) {
      const [, box, command] = /^([\w-]+)\$ (.*)$/.exec(line) ?? []
      if (box !== undefined && command !== undefined) steps.push({ box, command, prints: [] })
      else steps.at(-1)?.prints.push(line)
    }
  }
  return steps
}

const escaped = (text: string): string =>
  text
    .trim()
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/\s+/g, String.raw`\s+`)
const patternOf = (line: string): RegExp => new RegExp(`^\\s*${line.split('…').map(escaped).join('.*')}\\s*$`)

/** The first of the shown lines that the output lacks, in order. */
function missing(prints: readonly string[], output: string): string | null {
  const lines = output.split('\n')
  let at = 0
  for (const shown of prints) {
    const found = lines.findIndex((line, index) => index >= at && patternOf(shown).test(line))
    if (found < 0) return shown
    at = found + 1
  }
  return null
}

void t.test('what docs/get-started.md says is what happens', { timeout: 280_000 }, async t => {
  const dir = t.testdir({ bin: {} })
  const npx = join(dir, 'bin/npx')
  const boot = resolve('src/boot.js')
  writeFileSync(
    npx,
    `#!/bin/sh
shift
case "$*" in
  "start --init"*|join*) exec "${process.execPath}" "${boot}" "$@" --listen 127.0.0.1:0 ;;
  *) exec "${process.execPath}" "${boot}" "$@" ;;
esac
`,
  )
  chmodSync(npx, 0o755)
  const words = { TOKEN: '', passphrase: '' }

  /** Runs to the end, or, for a node in the foreground, to its first line. */
  const run = (box: string, command: string): Promise<string> => {
    const home = join(dir, box)
    mkdirSync(home, { recursive: true })
    cpSync('examples', join(home, 'examples'), { recursive: true })
    const env = {
      ...process.env,
      PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`,
      SHOAL_HOME: home,
      SHOAL_PASSPHRASE: words.passphrase,
    }
    const child = spawn('bash', ['-c', `exec 2>&1; ${command.replace('TOKEN', words.TOKEN)}`], {
      cwd: home,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    const isNode = / start\b/.test(command)
    if (isNode) t.teardown(() => endOf(child))
    return new Promise((done, failed) => {
      let output = ''
      child.on('error', failed)
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (isNode && /^ready /m.test(output)) done(output)
      })
      child.on('close', () => done(output))
    })
  }

  const steps = stepsOf(readFileSync('docs/get-started.md', 'utf8'))
  t.ok(steps.length >= 9, 'the page has its commands')
  for (const { box, command, prints } of steps) {
    let output = await run(box, command)
    // A link takes a moment, which who types has: what only looks is looked at again.
    for (let looks = 0; looks < 20 && command === 'npx shoal nodes' && missing(prints, output) !== null; looks++) {
      await sleep(250)
      output = await run(box, command)
    }
    const lacking = missing(prints, output)
    t.equal(lacking, null, `${box}$ ${command}`, { output })
    if (lacking !== null) break
    words.TOKEN = /^shoal1\.\S+/m.exec(output)?.[0] ?? words.TOKEN
    if (command.includes('--init')) {
      const secrets = readFileSync(join(dir, box, 'certs/first-operator.txt'), 'utf8')
      words.passphrase = /^passphrase: (.*)$/m.exec(secrets)?.[1] ?? ''
    }
  }
})

/** Ends a node's whole tree as a terminal does at Ctrl-C. */
function endOf(child: ReturnType<typeof spawn>): Promise<void> {
  return new Promise(done => {
    child.on('close', () => done())
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT')
    else done()
  })
}
