// What a node alone knows of itself, asked by others: a disk is not walked without end for them, and what a node answers is read as a stranger's.
import t from 'tap'
import { About } from '../../../src/web/about.ts'
import { parseAbout } from '../../../src/web/about-answer.ts'
import { parsePeerTest } from '../../../src/web/peer-view.ts'

const id = 'a'.repeat(52)

await t.test('one walk over the disk for all who ask meanwhile; it rests ten times as long', async t => {
  let now = 0
  const walks: (() => void)[] = []
  const services = {
    self: id,
    wallNow: () => new Date(0),
    webFingerprint: '',
    config: () => ({ peers: [] }),
    links: () => [],
    backups: { list: () => Promise.resolve([]) },
    disk: { look: () => new Promise((done, fail) => walks.push(() => (now < 5000 ? done({ items: [] }) : fail(new Error('gone'))))) },
  }
  const about = new About(services as never, { nodes: () => [] } as never, () => now)
  const asked = [about.own(), about.own()]
  t.equal(walks.length, 1)
  now = 100
  walks[0]?.()
  await Promise.all(asked)
  now = 1099
  await about.own()
  t.equal(walks.length, 1, 'still at rest')
  now = 6000
  const failing = about.own()
  t.equal(walks.length, 2)
  walks[1]?.()
  await t.rejects(failing)
  const next = about.own()
  t.equal(walks.length, 3, 'what failed is not kept')
  walks[2]?.()
  await t.rejects(next)
})

const answer = {
  id,
  at: '2026-11-28T00:00:00Z',
  fingerprint: 'f',
  slots: [{ digest: 'd', kind: 'app', name: 'till@1.0.0', bytes: 1, needs: ['current'] }],
  backups: [
    { id: 'b', kind: 'backup', at: '', own: true, app: null, bytes: 1, state: 'failed', reason: { code: 'NEW_CODE', message: 'm' } },
  ],
  peers: [{ id, name: 'b', address: 'b:1', pinned: true, reach: 'direct', linkedMs: 5, dialled: false }],
  disk: { freeBytes: 1, reserveBytes: 1, packageLimitBytes: 0, totals: [], items: [], more: 'of a later version' },
}

await t.test('what another node answers is read field by field', t => {
  t.match(parseAbout(answer, 'x'), { ...answer, backups: [{ reason: { code: 'INTERNAL' } }], disk: { freeBytes: 1 } })
  t.match(parseAbout({ ...answer, peers: [{ ...answer.peers[0], linkedMs: null, dialled: null }] }, 'x').peers, [{ linkedMs: null }])
  const bad: object[] = [
    { id: 'short' },
    { slots: [{ ...answer.slots[0], bytes: -1 }] },
    { slots: [{ ...answer.slots[0], needs: 'current' }] },
    { backups: Array.from({ length: 201 }, () => answer.backups[0]) },
    { peers: [{ ...answer.peers[0], reach: 'near' }] },
    { peers: [{ ...answer.peers[0], name: 'n'.repeat(101) }] },
    { disk: { ...answer.disk, totals: Array.from({ length: 51 }, () => ({ kind: 'a', count: 1, bytes: 1, reclaimable: 1 })) } },
    { disk: null },
  ]
  for (const each of bad)
    t.throws(() => parseAbout({ ...answer, ...each }, 'x'), { code: 'BAD_REQUEST' }, JSON.stringify(each).slice(0, 60))
  t.throws(() => parsePeerTest({ id: null, address: 'a:1', ok: 'yes', step: null, message: '', steps: [] }, 'x'), { code: 'BAD_REQUEST' })
  t.end()
})
