import t from 'tap'
import { hashFact, Registers } from '../../../src/facts/index.ts'
import { bytesOfFrame, formatFrame, type Frame, maxFrameBytes, parseFrame } from '../../../src/mesh/core/index.ts'
import { fact, hello, nodeId } from './bench.ts'

const registers = new Registers()
for (let n = 0; n < 500; n++)
  registers.merge(fact({ name: `n${n}`, body: JSON.stringify({ n, text: 'some "quoted" text' }), sig: 's'.repeat(96) }))
const entries = registers.entriesOf(7)

const frames: readonly Frame[] = [
  {
    t: 'hello',
    hello: hello(nodeId('a'), {
      seen: { epoch: 3, version: 9 },
      trial: 'o'.repeat(52) as never,
      app: '1'.repeat(64) as never,
      caps: ['x'],
      keep: true,
    }),
  },
  { t: 'hello', hello: hello(nodeId('a')) },
  { t: 'facts', facts: registers.all().slice(0, 100), bulk: true },
  { t: 'have', entries, re: true, done: false },
  { t: 'want', ids: entries.map(e => e.id) },
  { t: 'root', root: registers.root() },
  { t: 'buckets', sums: registers.bucketSums() },
  { t: 'list', buckets: [7, 8], entries, last: true },
  { t: 'ack' },
  { t: 'same' },
  { t: 'later' },
]

void t.test('every frame comes back as it went, and is no larger than estimated', async t => {
  for (const frame of frames) {
    const text = formatFrame(frame)
    t.same(parseFrame(text), frame, frame.t)
    t.ok(text.length <= bytesOfFrame(frame) * 1.3, `${frame.t}: ${text.length} of ${bytesOfFrame(frame)}`)
  }
})

void t.test('frames and fields of later versions are no errors', async t => {
  t.equal(parseFrame('{"t":"from-the-future","x":1}'), null)
  t.same(parseFrame('{"t":"ack","x":{"y":1}}'), { t: 'ack' })
})

void t.test('what is no frame is refused', async t => {
  const good = { ...JSON.parse(formatFrame(frames[1]!)) }
  const bad: Record<string, string> = {
    'no JSON': '{"t":',
    'no object': '[1]',
    'no t': '{}',
    'hello without a node': JSON.stringify({ ...good, node: undefined }),
    'hello with another form of id': JSON.stringify({ ...good, node: 'A'.repeat(52) }),
    'hello with a nonce that is none': JSON.stringify({ ...good, nonce: 'x y' }),
    'hello with 33 caps': JSON.stringify({ ...good, caps: Array(33).fill('c') }),
    'hello with a negative epoch': JSON.stringify({ ...good, seen: [-1, 2] }),
    'an id of 15 digits': '{"t":"want","ids":["000000000000000"]}',
    'an id in capitals': '{"t":"want","ids":["000000000000000A"]}',
    'an entry of three': '{"t":"have","entries":[["0000000000000000",1,2]]}',
    'a hash above 32 bits': '{"t":"have","entries":[["0000000000000000",1,2,4294967296]]}',
    'a version that is no integer': '{"t":"have","entries":[["0000000000000000",1,2.5,1]]}',
    'bucket 256': '{"t":"list","buckets":[256],"entries":[],"last":true}',
    'no last': '{"t":"list","buckets":[1],"entries":[]}',
    'too few sums': '{"t":"buckets","sums":"00"}',
    'a fact with a long body': JSON.stringify({ t: 'facts', facts: [fact({ body: 'x'.repeat(16_385) })] }),
    'a fact without an owner': JSON.stringify({ t: 'facts', facts: [{ ...fact(), owner: undefined }] }),
    'a root that is a number': '{"t":"root","root":1}',
    'lists in lists without end': `{"t":"root","root":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    'the same where nobody looks': `{"t":"ack","x":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`,
  }
  for (const [name, text] of Object.entries(bad)) t.throws(() => parseFrame(text), { code: 'BAD_REQUEST' }, name)
  t.throws(() => parseFrame(`{"t":"ack","x":"${'x'.repeat(maxFrameBytes)}"}`), { code: 'TOO_LARGE' })
  t.throws(
    () => parseFrame(JSON.stringify({ t: 'want', ids: Array(10_001).fill('0'.repeat(16)) })),
    { code: 'BAD_REQUEST' },
    'too many ids',
  )
  t.same(parseFrame(`{"t":"ack","x":"\\\\\\"${'['.repeat(100)}"}`), { t: 'ack' }, 'brackets in a text are no lists')
  t.match(hashFact(fact()).id, /^[0-9a-f]{16}$/)
})
