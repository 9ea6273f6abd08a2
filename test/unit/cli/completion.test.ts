/** Completion as shells do it: bash, zsh and fish run the printed script, and ask a node at home for names. PowerShell's is read only. */
import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { commands, groups } from '../../../src/cli/commands/index.ts'
import { completionsOf } from '../../../src/cli/completion/index.ts'
import { found } from '../../../src/cli/home/index.ts'
import { homePaths } from '../../../src/slots/index.ts'
import { fakeNode, shoal } from './helpers.ts'

void t.test('what may follow comes from the command table', async t => {
  const { places, valued } = completionsOf(commands, groups)
  t.ok(places.get('')?.commands.includes('deploy') && places.get('')?.commands.includes('update'))
  t.strictSame(places.get('peers')?.commands, ['list', 'add', 'remove', 'test'])
  t.strictSame(places.get('fleet')?.commands, places.get('nodes')?.commands, 'aliases of a group')
  t.match(places.get('rollout status'), { names: 'rollouts' })
  t.match(valued.get('--data'), { values: ['keep', 'restore'] })
  t.match(valued.get('--only'), { names: 'nodes', isList: true })
  t.match(valued.get('-n'), { names: null })
  t.equal(valued.get('--yes'), undefined, 'a flag takes no value')
})

const folder = t.testdir()
const home = join(folder, 'home')
await found(homePaths(home), { passphrase: 'words', writesSecrets: false, listen: { host: '127.0.0.1', port: 0 }, operator: 'ann' })
const bin = join(folder, 'bin')
mkdirSync(bin)
const program = join(bin, 'shoal')
writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${resolve('src/boot.js')}' "$@"\n`)
chmodSync(program, 0o755)
const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, HOME: folder, SHOAL_HOME: home, TERM: 'dumb' }

const out = (file: string, args: readonly string[]): Promise<string> =>
  new Promise((done, fail) => {
    const child = execFile(file, [...args], { env, cwd: folder, timeout: 60_000 }, (error, stdout, stderr) =>
      error === null ? done(stdout) : fail(new Error(`${error.message}\n${stderr}`)),
    )
    child.stdin?.end()
  })

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** A zsh of its own completes at a press of Tab; what it would show goes through `compadd`. */
const zshDriver = (script: string, line: string, hits: string): string => `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z ${quoted(`PROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ${quoted(script)}
compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- $found >> ${quoted(hits)}; builtin compadd "$@" }
done_() { print -r -- END >> ${quoted(hits)} }; comppostfuncs=(done_); bindkey '^I' complete-word; : > ${quoted(hits)}`)}
while [[ ! -e ${quoted(hits)} ]]; do zpty -rt z ignored; sleep 0.05; done
zpty -w -n z ${quoted(`${line}\t`)}
while ! grep -q '^END$' ${quoted(hits)}; do zpty -rt z ignored; sleep 0.05; done
cat ${quoted(hits)}
zpty -d z`

const drivers: Readonly<Record<string, (script: string, line: string) => Promise<string>>> = {
  bash: (script, line) =>
    out('bash', [
      '--norc',
      '--noprofile',
      '-ic',
      `source ${quoted(script)}; complete -p shoal >/dev/null || exit 1; COMP_LINE=${quoted(line)} COMP_POINT=${line.length}; _shoal shoal; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ]),
  zsh: (script, line) => out('zsh', ['-f', '-c', zshDriver(script, line, join(folder, `hits-${Math.abs(line.length)}-${hash(line)}`))]),
  fish: (script, line) => out('fish', ['--no-config', '-c', `source ${quoted(script)}; complete -C ${quoted(line)}`]),
}

const hash = (text: string): string => Buffer.from(text).toString('hex').slice(0, 60)

/** What is offered: `has` are among it, `only` is all of it. Behind `@` bash offers the `rest` of the word, and zsh behind a comma. */
const cases: readonly {
  line: string
  has?: readonly string[]
  hasNot?: readonly string[]
  only?: readonly string[]
  rest?: Readonly<Record<string, readonly string[]>>
}[] = [
  { line: 'shoal depl', only: ['deploy'] },
  { line: 'shoal ', has: ['deploy', 'nodes', 'fleet', 'help'] },
  { line: 'shoal fleet sh', only: ['show'] },
  { line: `shoal --home ${home} nodes unh`, only: ['unhold'] },
  { line: 'shoal invite --can', only: ['--can-invite'] },
  { line: 'shoal rollback --data ', only: ['keep', 'restore'] },
  { line: 'shoal operators add eve --role a', only: ['admin'] },
  { line: 'shoal operators remove ', only: ['ann', 'eve'] },
  { line: 'shoal explain DISK', only: ['DISK_FULL'] },
  { line: 'shoal completion z', only: ['zsh'] },
  { line: 'shoal nodes show ', has: ['shop-1', 'shop-2', 'cccccccc'], hasNot: ['shop 3; rm -rf'] },
  { line: 'shoal rollout start hello@2', only: ['hello@2.0.0'], rest: { bash: ['2.0.0'] } },
  { line: 'shoal rollout start hello@2.0.0 --only shop-1,shop-2', only: ['shop-1,shop-2'], rest: { zsh: ['shop-2'] } },
  { line: 'shoal rollout show l', only: ['latest'] },
]

const pageOf = (name: string, items: readonly object[]): object => ({ [name]: items, counts: { total: items.length }, next: null })
const node = (letter: string, name: string): object => ({
  id: letter.repeat(52),
  name,
  reach: 'direct',
  ageMs: 0,
  app: null,
  step: 'idle',
  outcome: null,
})
const nodes = [node('a', 'shop-1'), node('b', 'shop-2'), node('c', 'shop 3; rm -rf')]
const release = (version: string): object => ({ kind: 'app', name: 'hello', version, packages: {}, nodes: 1 })

async function peopled(teardown: (work: () => unknown) => void): Promise<void> {
  const keyid = 'a'.repeat(64)
  const people = ['ann', 'eve'].map(name => ({ name, role: 'admin', keyid }))
  const fleet = {
    fleet: 'a'.repeat(52),
    name: 'f',
    root: '{}',
    generation: 1,
    caPin: keyid,
    self: { id: 'a'.repeat(52), addresses: [] },
    redeems: true,
    people,
  }
  await fakeNode(teardown, home, ({ path }) => {
    if (path.includes('/nodes')) return { body: pageOf('nodes', nodes) }
    if (path.includes('/releases')) return { body: pageOf('releases', [release('1.0.0'), release('2.0.0')]) }
    return { body: path.includes('/rollouts') ? pageOf('rollouts', []) : fleet }
  })
}

/** What a shell offers. On a machine that is busy names may be late, and then there are none: whoever presses Tab presses it again. */
async function offeredBy(complete: () => Promise<string>): Promise<readonly string[]> {
  for (let tries = 1; ; tries++) {
    const lines = (await complete()).split('\n').map(each => each.split('\t')[0]?.trim() ?? '')
    const words = lines.filter(each => each !== '' && each !== 'END')
    if (words.length > 0 || tries === 5) return words
  }
}

for (const [shell, complete] of Object.entries(drivers)) {
  const isHere = spawnSync(shell, ['--version']).status === 0
  void t.test(`${shell} completes`, { skip: isHere ? false : `no ${shell} here`, timeout: 240_000 }, async t => {
    const script = join(folder, `completion.${shell}`)
    writeFileSync(script, (await shoal(['completion', shell])).out)
    await t.test('with the node at home', async t => {
      await peopled(work => t.teardown(work))
      for (const { line, has = [], hasNot = [], only, rest } of cases) {
        const offered = await offeredBy(() => complete(script, line))
        const wanted = rest?.[shell] ?? only
        if (wanted !== undefined) t.strictSame([...new Set(offered)].toSorted(), [...wanted].toSorted(), line)
        for (const word of has) t.ok(offered.includes(word), `${line}: ${word} of ${offered.join(' ').slice(0, 200)}`)
        for (const word of hasNot) t.notOk(offered.includes(word), `${line}: not ${word}`)
      }
    })
    const offered = await complete(script, 'shoal nodes show sh')
    t.notMatch(offered, /shop|error|NO_NODE/, 'a node that is stopped: no name, no complaint')
  })
}

void t.test('names: none, and no word of it, where something is amiss; never later than its deadline', async t => {
  t.match(await shoal(['completion', '--names', 'nodes', '--home', join(folder, 'none')]), { code: 0, out: '', err: '' })
  t.match(await shoal(['completion', '--names', 'planets']), { code: 2 })
  const silent = await fakeNode(
    work => t.teardown(work),
    home,
    () => undefined,
  )
  t.match(await shoal(['completion', '--names', 'nodes', '--home', home]), { code: 0, out: '', err: '' })
  t.equal(silent.asked.length <= 1, true)
})

void t.test('PowerShell is told the same words', async t => {
  const { out: script } = await shoal(['completion', 'powershell'])
  t.match(script, /'rollback --data'|'--data' = @\{ words = @\('keep', 'restore'\); names = '' \}/)
  t.match(script, /'nodes show' = @\{ words = @\([^)]*\); names = 'nodes' \}/)
  t.comment('no PowerShell was asked: its script is read only')
})
