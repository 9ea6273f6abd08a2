/** What the power-cut test (test/long) believes of disks: the reading of a trace, and what a cut leaves. */
import t from 'tap'
import { callsOf, type Change, changesOf, contentOf, type Fate, fates, RecordedDisk } from '../../helpers/power-cut/index.ts'

const known = [
  { path: '/h', mode: 0o755, size: null },
  { path: '/h/a', mode: 0o600, size: 3 },
  { path: '/h/sub', mode: 0o755, size: null },
]
const make = (path: string): Change => ({ kind: 'open', path, mode: 0o644, isEmptied: false })
const write = (path: string, text: string, at: number | null = null): Change => ({ kind: 'write', path, at, bytes: Buffer.from(text) })
const sync = (path: string, since = 1000): Change => ({ kind: 'sync', path, since })
const move = (from: string, to: string): Change => ({ kind: 'rename', from, to })

/** Names and bytes after a cut; what was there before holds `old`. */
function after(changes: readonly Change[], fate: Fate): Record<string, string> {
  const disk = new RecordedDisk(known)
  for (const change of changes) disk.apply(change)
  const found = [...disk.crashed(fate)].filter(([path]) => path !== '/h' && path !== '/h/sub')
  return Object.fromEntries(
    found.map(([path, each]) => [path, each.kind === 'folder' ? 'folder' : contentOf(each, () => Buffer.from('old')).toString()]),
  )
}

void t.test('what a cut leaves', async t => {
  const { nothing, names } = fates
  const rows: readonly (readonly [string, readonly Change[], Fate, Record<string, string>])[] = [
    ['a name whose folder was not fsynced is gone', [make('/h/b'), write('/h/b', 'x'), sync('/h/b')], nothing, { '/h/a': 'old' }],
    ['or there', [make('/h/b'), write('/h/b', 'x'), sync('/h/b')], names, { '/h/a': 'old', '/h/b': 'x' }],
    ['bytes without fsync are gone', [make('/h/b'), write('/h/b', 'x'), sync('/h')], nothing, { '/h/a': 'old', '/h/b': '' }],
    [
      'an fsync covers what was answered before it began',
      [write('/h/a', 'x', 1), write('/h/a', 'y', 2), sync('/h/a', 1)],
      nothing,
      { '/h/a': 'oxd' },
    ],
    [
      'a rename without its folder: the old file',
      [make('/h/b'), write('/h/b', 'new'), sync('/h/b'), move('/h/b', '/h/a')],
      nothing,
      { '/h/a': 'old' },
    ],
    ['a rename with it', [make('/h/b'), write('/h/b', 'new'), sync('/h/b'), move('/h/b', '/h/a'), sync('/h')], nothing, { '/h/a': 'new' }],
    ['a rename of what nobody fsynced: an empty file', [make('/h/b'), write('/h/b', 'new'), move('/h/b', '/h/a')], names, { '/h/a': '' }],
    ['between folders it happens in both or in none', [move('/h/a', '/h/sub/a')], nothing, { '/h/a': 'old' }],
    ['and one of them is enough', [move('/h/a', '/h/sub/a'), sync('/h')], nothing, { '/h/sub/a': 'old' }],
    [
      'what is in a folder goes with it',
      [{ kind: 'folder', path: '/h/n', mode: 0o755 }, make('/h/n/x'), sync('/h/n')],
      nothing,
      { '/h/a': 'old' },
    ],
    ['what was removed comes back', [{ kind: 'remove', path: '/h/a' }], nothing, { '/h/a': 'old' }],
    ['unless its folder was fsynced', [{ kind: 'remove', path: '/h/a' }, sync('/h')], nothing, {}],
    [
      'cut, longer again, written at its end',
      [{ kind: 'size', path: '/h/a', size: 1 }, write('/h/a', 'zz'), sync('/h/a')],
      nothing,
      { '/h/a': 'ozz' },
    ],
    ['a part of a write', [write('/h/a', '1234', 0)], { name: () => true, bytes: () => 0.5 }, { '/h/a': '12d' }],
  ]
  for (const [what, changes, fate, want] of rows) t.same(after(changes, fate), want, what)
})

const hex = (text: string): string => [...Buffer.from(text)].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')

void t.test('a trace is read as it was answered', async t => {
  const [file, folder] = [`22<${hex('/h/b')}>`, `23<${hex('/h')}>`]
  const lines = [
    `10 1.000000 openat(AT_FDCWD<${hex('/')}>, "${hex('/h/b')}", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = ${file}`,
    `10 1.000100 write(${file}, "${hex('one')}", 3) = 3`,
    `11 1.000200 fsync(${file} <unfinished ...>`,
    `10 1.000300 write(${file}, "${hex('two')}", 3) = 3`,
    `12 1.000350 mkdir("${hex('/h/sub')}", 0777) = -1 EEXIST (File exists)`,
    '11 1.000400 <... fsync resumed>) = 0',
    `10 1.000500 pwritev(${file}, [{iov_base="${hex('x')}", iov_len=1}, {iov_base="${hex('y')}", iov_len=1}], 2, 7) = 2`,
    `10 1.000600 ftruncate(${file}, 8) = 0`,
    `10 1.000700 rename("${hex('/h/b')}", "${hex('/h/c')}") = 0`,
    `10 1.000800 fsync(${folder}) = 0`,
    `10 1.000900 copy_file_range(24<${hex('/out')}>, [0], 25<${hex('/h/c')}>, NULL, 4, 0) = 4`,
    `10 1.001000 write(1<${hex('/elsewhere')}>, "${hex('no')}", 2) = 2`,
    '10 1.001100 +++ exited with 0 +++',
  ]
  const answeredAt = [1, 1.0001, 1.0003, 1.0004, 1.0005, 1.0006, 1.0007, 1.0008, 1.0009].map(seconds => seconds * 1000)
  const changes = changesOf([...callsOf(lines)], '/h', (path, at, size) => Buffer.from(`${path}${at}${size}`))
  t.same(
    changes,
    [
      { kind: 'open', path: '/h/b', mode: 0o600, isEmptied: false } as const,
      write('/h/b', 'one', 0),
      write('/h/b', 'two', 3),
      sync('/h/b', 2),
      write('/h/b', 'xy', 7),
      { kind: 'size', path: '/h/b', size: 8 },
      move('/h/b', '/h/c'),
      sync('/h', 7),
      write('/h/c', '/out04'),
    ].map((change, at) => ({ ...change, atMs: answeredAt[at] })),
  )
  t.throws(() => [...changesOf([...callsOf([`10 1.0 write(${file}, "${hex('cut')}"..., 9) = 9`])], '/h', () => Buffer.alloc(0))])
})
