/** The node as a service: definitions, installing, refusals. The service managers are this test; the homes are real. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { filesOf, install, type Kind, kinds, type ServiceFacts, stopSteps, uninstall } from '../../../src/cli/service/index.ts'
import type { Machine } from '../../../src/cli/service/manager.ts'
import { shoal } from './helpers.ts'

const awkward = '/srv/a "b" 50% $x & <c>'
const facts = (more: Partial<ServiceFacts> = {}): ServiceFacts => ({
  name: 'shoal',
  home: '/srv/shoal',
  node: '/bin/sh',
  loader: '/srv/shoal/instance/slots/b/src/boot.js',
  listen: { host: '0.0.0.0', port: 8443 },
  elsewhere: [],
  user: null,
  ...more,
})
const textOf = (kind: Kind, more: Partial<ServiceFacts> = {}): string => filesOf(kind, facts(more))[0]?.text ?? ''

/** A machine in memory. */
function machine(answer: (line: string) => { code: number; text: string } = () => ({ code: 0, text: '' })) {
  const files = new Map<string, string>()
  const ran: string[] = []
  const it: Machine = {
    run: step => {
      const line = [step.command, ...step.args].join(' ')
      ran.push(line)
      return Promise.resolve(answer(line))
    },
    read: path => files.get(path) ?? null,
    write: (path, bytes) => {
      files.set(path, typeof bytes === 'string' ? bytes : Buffer.from(bytes).subarray(2).toString('utf16le'))
      return Promise.resolve()
    },
    remove: path => void files.delete(path),
  }
  return { files, ran, it }
}
const planOf = (kind: Kind, more: Partial<Parameters<typeof install>[0]> = {}, some: Partial<ServiceFacts> = {}) => ({
  kind,
  facts: facts(some),
  files: filesOf(kind, facts(some)),
  isDryRun: false,
  isBusy: false,
  ...more,
})

void t.test('systemd: what the node relies on stands in the unit', t => {
  const [service, socket] = filesOf('systemd', facts({ user: 'till', listen: { host: '::', port: 443 } }))
  for (const line of [
    'Type=notify',
    'NotifyAccess=all',
    'Restart=always',
    'RestartForceExitStatus=75',
    'KillMode=mixed',
    'WatchdogSec=180',
    'ProtectSystem=strict',
    'NoNewPrivileges=yes',
    'ReadWritePaths="/srv/shoal"',
    'User=till',
    'Sockets=shoal.socket',
    'AmbientCapabilities=CAP_NET_BIND_SERVICE',
    'Environment=SHOAL_SERVICE=systemd:shoal',
    'ExecStart="/bin/sh" "/srv/shoal/instance/slots/b/src/boot.js" "start" "--home" "/srv/shoal"',
  ])
    t.ok(service?.text.split('\n').includes(line), line)
  t.match(socket?.text, /^ListenStream=\[::\]:443\nBindIPv6Only=both\nFreeBind=yes$/m)
  t.equal(filesOf('systemd', facts({ listen: null })).length, 1, 'no plain address, no socket')
  t.notOk(textOf('systemd', { listen: null }).includes('.socket'))
  t.match(textOf('systemd', { elsewhere: ['/mnt/big disk'] }), /^ReadWritePaths="\/srv\/shoal" "\/mnt\/big disk"$/m)
  t.end()
})

const hasAnalyze = ((): boolean => {
  try {
    execFileSync('sh', ['-c', 'systemd-analyze --version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

void t.test(
  'systemd-analyze takes the units as they are, with paths that need quotes',
  { skip: !hasAnalyze && 'no systemd-analyze' },
  t => {
    for (const home of ['/srv/shoal', awkward]) {
      const dir = mkdtempSync(join(tmpdir(), 'shoal-units-'))
      t.teardown(() => rmSync(dir, { recursive: true, force: true }))
      const files = filesOf('systemd', facts({ home, user: 'daemon', loader: `${home}/boot.js` }))
      const paths = files.map(file => join(dir, file.path.split('/').at(-1) ?? ''))
      for (const [at, file] of files.entries()) writeFileSync(paths[at] ?? '', file.text)
      const said = execFileSync('sh', ['-c', 'systemd-analyze verify --man=no --generators=no "$@" 2>&1; echo "exit $?"', 'x', ...paths], {
        encoding: 'utf8',
      })
      // What else is wrong with the machine's own units is not ours.
      const ours = said.split('\n').filter(line => line.includes(dir) || line.includes('shoal.'))
      t.same(ours, [], said)
    }
    t.end()
  },
)

void t.test('launchd, WinSW and the Task Scheduler get well-formed XML that holds the paths as they are', t => {
  for (const kind of kinds.filter(each => each !== 'systemd')) {
    const text = textOf(kind, { home: awkward, loader: `${awkward}/boot.js` })
    const words = readXml(text)
    t.ok(
      words.some(word => word.includes(awkward)),
      `${kind}: the home is in it`,
    )
  }
  const plist = readXml(textOf('launchd', { home: awkward }))
  t.same(plist.slice(plist.indexOf('ProgramArguments') + 1).slice(0, 5), ['/bin/sh', facts().loader, 'start', '--home', awkward])
  t.match(textOf('launchd'), /<key>KeepAlive<\/key>\s*<true\/>/)
  t.match(textOf('winsw'), /<onfailure action="restart" delay="2 sec"\/>/)
  t.match(textOf('task'), /<RestartOnFailure>/)
  t.match(textOf('task'), /<ExecutionTimeLimit>PT0S</)
  const winsw = readXml(textOf('winsw', { home: 'C:\\Program Files\\shoal\\', loader: 'C:\\boot.js' }))
  t.ok(winsw.includes('"C:\\boot.js" "start" "--home" "C:\\Program Files\\shoal\\\\"'), 'a last backslash does not swallow the quote')
  t.end()
})

void t.test('install: twice is once, a change is told, a dry run touches nothing', async t => {
  const m = machine()
  t.match(await install(planOf('systemd', { isDryRun: true }), m.it), ['would write /etc/systemd/system/shoal.service'])
  t.equal(m.files.size + m.ran.length, 0)
  const first = await install(planOf('systemd'), m.it)
  t.same(m.ran, [
    'systemctl daemon-reload',
    'systemctl enable shoal.service shoal.socket',
    'systemctl start --no-block shoal.socket shoal.service',
  ])
  t.equal(first.length, 5)
  m.ran.length = 0
  await install(planOf('systemd'), m.it)
  t.same(m.ran, ['systemctl start --no-block shoal.socket shoal.service'], 'only seen to that it runs')
  m.ran.length = 0
  const changed = await install(planOf('systemd', {}, { listen: null }), m.it)
  t.ok(changed.includes('removed /etc/systemd/system/shoal.socket'), 'a socket that nobody needs goes')
  t.ok(changed.includes('wrote /etc/systemd/system/shoal.service'))
  const busy = await install(planOf('systemd', { isBusy: true }, { listen: null }), m.it)
  t.match(busy.at(-1), /runs already, and not by this service/)
})

void t.test('uninstall: takes all away, twice is once', async t => {
  for (const kind of kinds) {
    const m = machine()
    await install(planOf(kind, {}, { home: awkward }), m.it)
    t.ok(m.files.size > 0, kind)
    await t.rejects(install(planOf(kind, { files: [...m.files.keys()].map(path => ({ path, text: '' })) }), m.it), {
      code: 'CONFLICT',
    })
    const files = new Map(m.files)
    await uninstall(planOf(kind, { isDryRun: true }, { home: awkward }), m.it)
    t.same(m.files, files)
    await uninstall(planOf(kind, {}, { home: awkward }), m.it)
    t.equal(m.files.size, 0)
    t.same(await uninstall(planOf(kind, {}, { home: awkward }), m.it), ['shoal is not installed'])
  }
})

void t.test('refusals change nothing: no right, another home, a manager that says no', async t => {
  const locked = machine()
  const noRight: Machine = {
    ...locked.it,
    write: () => Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' })),
  }
  await t.rejects(install(planOf('systemd'), noRight), {
    code: 'NOT_ALLOWED',
    message: /shoal\.service: cannot be written \(EACCES\).*sudo/,
  })
  t.equal(locked.ran.length, 0)
  const other = machine()
  await install(planOf('systemd'), other.it)
  const before = new Map(other.files)
  other.ran.length = 0
  for (const act of [install, uninstall])
    await t.rejects(act(planOf('systemd', {}, { home: '/srv/shoa' }), other.it), { code: 'CONFLICT' }, 'another home has that name')
  t.same([other.files, other.ran.length], [before, 0])
  const denied = machine(line => (line.includes('/Create') ? { code: 1, text: 'ERROR: Access is denied.' } : { code: 0, text: '' }))
  await t.rejects(install(planOf('task'), denied.it), { code: 'NOT_ALLOWED' })
  const absent = machine(() => ({ code: -1, text: 'spawn systemctl ENOENT' }))
  await t.rejects(install(planOf('systemd'), absent.it), { code: 'SERVICE_FAILED', message: /ENOENT/ })
})

void t.test('who would start the node again is asked to stop it', t => {
  t.same(
    stopSteps('systemd:till')?.map(step => step.args.join(' ')),
    ['stop till.socket', 'stop till.service'],
  )
  t.match(stopSteps('launchd:till'), [{ args: ['bootout', /io\.shoal\.till$/] }])
  for (const none of ['', 'winsw:till', 'task:till', 'nonsense']) t.equal(stopSteps(none), null)
  t.end()
})

void t.test('the command: definitions of a real home, wrong words, a home that is none', async t => {
  const top = t.testdir({ away: {} })
  const home = join(top, 'a home')
  t.equal((await shoal(['init', '--home', home, '--listen', 'localhost:0', '--operator', 'anna'])).code, 0)
  rmSync(join(home, 'instance/inbox'), { recursive: true })
  symlinkSync(join(top, 'away'), join(home, 'instance/inbox'))
  const printed = await shoal(['service', 'print', '--home', home, '--kind', 'systemd', '--json'])
  t.equal(printed.code, 0)
  const [service, socket] = printed.json.files
  const loader = /^ExecStart="[^"]+" "([^"]+)"/m.exec(service.text)?.[1] ?? ''
  t.ok(existsSync(loader), 'the loader of the built-in slot, which stays')
  t.match(loader, /instance\/slots\/[0-9a-f]{64}\/src\/boot\.js$/)
  t.match(socket.text, /^ListenStream=(?:127\.0\.0\.1|\[::1\]):\d+$/m, 'a name becomes an address')
  t.match(service.text, new RegExp(`"${join(top, 'away')}"`), 'a folder that is a link stays writable')
  for (const kind of kinds) t.ok((await shoal(['service', 'print', '--home', home, '--kind', kind])).out.includes('a home'))
  t.match((await shoal(['service', 'install', '--home', home, '--kind', 'systemd', '--dry-run'])).out, /^would write/)
  t.equal((await shoal(['service', 'print', '--home', home, '--kind', 'cron'])).code, 2)
  t.equal((await shoal(['service', 'print', '--home', home, '--name', '../x'])).code, 2)
  t.equal((await shoal(['service', 'print', '--home', join(top, 'away')])).code, 2)
})

/** The texts of an XML document, in order; throws where it is not well-formed. */
function readXml(text: string): readonly string[] {
  const open: string[] = []
  const texts: string[] = []
  const token = /<\?[^?]*\?>|<!--(?:(?!--)[\s\S])*-->|<!DOCTYPE[^>]*>|<(\/?)([A-Za-z]+)((?:\s+[A-Za-z:]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy
  let end = 0
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    end = token.lastIndex
    const [, closing, name, attributes = '', selfClosing, words] = found
    if (words !== undefined && words.trim() !== '') texts.push(unescaped(words))
    for (const value of attributes.matchAll(/="([^"]*)"/g)) texts.push(unescaped(value[1] ?? ''))
    if (name === undefined || selfClosing === '/') continue
    if (closing !== '/') open.push(name)
    else if (open.pop() !== name) throw new Error(`</${name}> closes nothing`)
  }
  if (end !== text.length || open.length > 0) throw new Error(`not well-formed at ${text.slice(end, end + 40)}`)
  return texts
}

function unescaped(text: string): string {
  if (/&(?!(?:amp|lt|gt|quot|apos);)/.test(text)) throw new Error(`a bare & in ${text}`)
  const by: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return text.replace(/&(\w+);/g, (_, name: string) => by[name] ?? '')
}
