import { join } from 'node:path'
import t from 'tap'
import type { Fact } from '../../../src/model/index.ts'
import { NodeStore } from '../../../src/store/index.ts'

void t.test('an older fact never takes the place of a newer one, whoever writes last', async t => {
  const file = join(t.testdir(), 'node.db')
  const fact = (epoch: number, version: number, body: string): Fact => ({
    kind: 'status',
    owner: 'a',
    name: '',
    epoch,
    version,
    body,
    sig: 's',
  })
  const [before, now] = [new NodeStore(file), new NodeStore(file)]
  now.saveFacts([fact(2, 1, 'of the next epoch')], true)
  before.saveFacts([fact(1, 9, 'of the worker that was the node before')], true)
  before.close()
  t.same(
    now.facts().map(f => f.body),
    ['of the next epoch'],
  )
  now.saveFacts([fact(2, 2, 'newer')], true)
  t.same(
    now.facts().map(f => f.body),
    ['newer'],
  )
  now.close()
})
