// The pure parts of the dashboard: marks, sentences, the form of a rollout.
import t from 'tap'
import type { Board, Failure, NodeMark, Summary } from '../../../src/ui/api/types.ts'
import { markInRollout, markOf } from '../../../src/ui/parts/marks.ts'
import { lineOf, lineOfText } from '../../../src/ui/parts/log-line.ts'
import {
  gateSentence,
  gateStateOf,
  isHaltedIn,
  isOver,
  isStuck,
  presentOf,
  rolloutSentence,
  rolloutWord,
} from '../../../src/ui/parts/rollout-words.ts'
import { duration, opening, releaseName, size } from '../../../src/ui/parts/say.ts'
import { heldSentence, stateWord, unseenWord, whyWord } from '../../../src/ui/parts/node-words.ts'
import { plainPrune, pruneBody, pruneCommand } from '../../../src/ui/more/prune-wish.ts'
import { commandOf, plainForm, wishOf } from '../../../src/ui/parts/wish.ts'
import { sentenceOf } from '../../../src/ui/screens/sentence.ts'
import { explained } from '../../../src/ui/words/causes.ts'
import { de } from '../../../src/ui/words/de.ts'
import { en } from '../../../src/ui/words/en.ts'
import { moreDe } from '../../../src/ui/words/more-de.ts'
import { moreEn } from '../../../src/ui/words/more-en.ts'

const node = (more: Partial<NodeMark> = {}): NodeMark => ({
  id: 'a',
  name: 'a',
  reach: 'direct',
  health: 'ok',
  step: 'idle',
  outcome: null,
  percent: 0,
  ...more,
})

const wave = (more: Partial<Board['waves'][number]> = {}): Board['waves'][number] => ({
  state: 'closed',
  size: 2,
  need: 2,
  confirmed: 0,
  failed: 0,
  missing: 0,
  maxFailed: 0,
  waiting: 2,
  cells: [],
  ...more,
})

const board = (more: Partial<Board> = {}): Board => ({
  id: 'r',
  release: 'till@1.5.0',
  kind: 'app',
  by: 'anna',
  at: '',
  state: 'open',
  dryRun: false,
  hasPlan: true,
  unanswered: 0,
  able: 3,
  soakMs: 10_000,
  window: null,
  opens: null,
  leftMs: 1000,
  waves: [wave({ state: 'open', size: 1, need: 1 }), wave()],
  failures: [],
  bytes: { fetched: 0, reused: 0, served: 0, sources: 0 },
  ...more,
})

const served = (name: string, serves: string | null, again = false): Failure['nodes'][number] => ({ id: name, name, serves, again })

const failure = (more: Partial<Failure> = {}): Failure => {
  const nodes = more.nodes ?? [served('box-3', null)]
  const plain = { code: 'APP_START_FAILED', platform: 'linux-x64', outcome: 'rolled-back', message: 'no printer' } as const
  return { ...plain, count: nodes.length, log: [], newer: null, ...more, nodes }
}

const summary = (more: Partial<Summary> = {}): Summary => ({
  fleet: 'f',
  name: 'shops',
  generation: 1,
  self: { id: 'a', name: 'a', life: 'ok', address: 'a:1', redeems: true },
  counts: { total: 24, ok: 24, ill: 0, held: 0, lost: 0 },
  apps: [{ name: 'till@1.5.0', nodes: 24 }],
  shoals: [],
  platforms: [],
  tags: [],
  ailing: [],
  cells: [],
  rollouts: [],
  releases: 1,
  ...more,
})

await t.test('what went back is never green, and who is not seen is not fine', t => {
  t.equal(markInRollout(node({ outcome: 'confirmed' })), 'ok')
  t.equal(markInRollout(node({ outcome: 'rolled-back' })), 'back')
  t.equal(markInRollout(node({ reach: 'lost' })), 'lost')
  t.equal(markInRollout(node({ reach: 'lost', outcome: 'confirmed' })), 'ok', 'it had confirmed before')
  t.equal(markInRollout(node({ step: 'transfer' })), 'transfer')
  t.equal(markOf(node({ outcome: 'confirmed' })), 'ok')
  t.equal(markOf(node({ outcome: 'rolled-back' })), 'back')
  t.equal(markOf(node({ outcome: 'confirmed', reach: 'lost' })), 'lost')
  t.equal(markOf(node({ health: 'safe-mode' })), 'ill')
  t.end()
})

await t.test('a node in words: an ill one by its illness, a held one with who, why and until when', t => {
  t.equal(stateWord(node(), en), 'fine')
  t.equal(stateWord(node({ health: 'safe-mode' }), en), 'safe mode')
  t.equal(stateWord(node({ health: 'degraded' }), de), 'angeschlagen')
  t.equal(stateWord(node({ step: 'transfer', percent: 40 }), en), 'fetching 40 %')
  const held = { by: 'anna', reason: 'a new disk', leftMs: 2 * 3_600_000 }
  t.equal(heldSentence(held, en), 'Held by anna: a new disk · 2 hours left')
  t.equal(heldSentence({ ...held, reason: '', leftMs: null }, en), 'Held by anna · until somebody lets it go on')
  t.equal(heldSentence(held, de), 'Angehalten von anna: a new disk · noch 2 Stunden')
  const reason = { code: 'HELD', message: 'held by anna: a new disk' }
  t.equal(whyWord({ held, reason }, en), 'Held by anna: a new disk')
  t.equal(whyWord({ held: null, reason: { code: 'DISK_FULL', message: 'full' } }, en), 'full')
  t.equal(unseenWord(0, en), 'not seen', 'never seen is no span')
  t.equal(unseenWord(60_000, en), 'not seen for 1 minute')
  t.end()
})

await t.test('the fleet in one sentence', t => {
  t.match(sentenceOf(summary(), en), { tone: 'ok', main: 'All 24 nodes serve till 1.5.0.', rest: '' })
  const mixed = summary({
    counts: { total: 24, ok: 23, ill: 0, held: 0, lost: 1 },
    apps: [
      { name: 'till@1.5.0', nodes: 22 },
      { name: 'till@1.4.0', nodes: 1 },
    ],
  })
  t.match(sentenceOf(mixed, en), { tone: 'warn', main: '22 of 24 nodes serve till 1.5.0.', rest: '1 on till 1.4.0 and 1 not seen' })
  t.match(sentenceOf(mixed, de), { rest: '1 mit till 1.4.0 und 1 nicht gesehen' })
  t.match(sentenceOf(summary({ rollouts: [board({ state: 'halted' })] }), en), { tone: 'bad', rest: 'till 1.5.0 halted' })
  t.match(sentenceOf(summary({ rollouts: [board()] }), en), { tone: 'busy' })
  t.match(sentenceOf(summary({ apps: [{ name: '', nodes: 24 }] }), en), { main: '24 nodes, and no app yet.' })
  t.end()
})

await t.test('each gate says what it waits for', t => {
  t.equal(gateSentence(board(), 0, en), en.rollout.gate.open)
  t.equal(gateSentence(board(), 1, en), 'Opens when one more node has confirmed. Then it waits 10 seconds.')
  t.equal(gateSentence(board(), 2, en), 'Ends when 2 more nodes have confirmed.')
  const checking = board({ unanswered: 3, waves: [wave()] })
  t.match(gateSentence(checking, 0, en), /3 to go/)
  t.match(rolloutSentence(checking, en), /3 to go/)
  t.equal(gateSentence(board({ hasPlan: false }), 0, en), en.rollout.gate.plan)
  const halted = board({ state: 'halted', waves: [wave({ state: 'open', failed: 1 }), wave()] })
  t.equal(gateSentence(halted, 1, en), 'Closed: 1 failed, 0 allowed.')
  t.equal(gateSentence(board({ state: 'paused' }), 1, en), en.rollout.gate.paused)
  t.match(gateSentence(board({ window: 'Sat 02:00-04:00' }), 1, de), /Sat 02:00-04:00/)
  t.end()
})

await t.test('the form says the same to the node and to the command line', t => {
  t.strictSame(wishOf('till@1.0.0', plainForm, 'anna', false), {
    release: 'till@1.0.0',
    by: 'anna',
    dryRun: false,
    waves: '1,10%,50%,100%',
    soakMs: 10_000,
    witnesses: 1,
    deadlineMs: 7 * 86_400_000,
    allowDowngrade: false,
    replaceApp: false,
    force: false,
  })
  t.equal(commandOf('till@1.0.0', plainForm, false), 'shoal rollout start till@1.0.0')
  const form = {
    ...plainForm,
    whom: 'some',
    only: 'a, b',
    canary: 'a',
    window: 'Sat 02:00-04:00',
    soak: '30',
    maxFailed: '2',
    force: true,
  } as const
  t.match(wishOf('till@1.0.0', form, 'anna', true), {
    only: ['a', 'b'],
    canary: ['a'],
    soakMs: 30_000,
    maxFailed: 2,
    force: true,
    dryRun: true,
  })
  t.equal(
    commandOf('till@1.0.0', form, true),
    'shoal rollout start till@1.0.0 --only "a, b" --canary a --max-failed 2 --soak 30s --window "Sat 02:00-04:00" --force --dry-run',
  )
  t.end()
})

await t.test('what else may go is said the same to the node and to the command line', t => {
  t.strictSame(pruneBody(plainPrune), { all: false, logs: false })
  t.equal(pruneCommand(plainPrune, false), 'shoal prune')
  const wish = { all: true, logs: true, backupDays: '90' }
  t.strictSame(pruneBody(wish), { all: true, logs: true, backupsOlderMs: 90 * 86_400_000 })
  t.equal(pruneCommand(wish, true), 'shoal prune --all --logs --backups-older 90d --dry-run')
  t.end()
})

await t.test('numbers and times as people write them', t => {
  t.equal(duration(65_000, 'en'), '1 minute')
  t.equal(duration(3 * 86_400_000, 'de'), '3 Tage')
  t.equal(duration(10, 'en'), '0 seconds')
  t.equal(size(1_234_567, 'en'), '1.2 MB')
  t.equal(size(12, 'en'), '12 byte')
  t.equal(releaseName('@shop/till@1.0.0'), '@shop/till 1.0.0')
  t.end()
})

await t.test('no text is empty in any language, and none is left in English', t => {
  const texts = (of: object, path = ''): [string, string][] =>
    Object.entries(of).flatMap(([key, value]: [string, unknown]): [string, string][] =>
      typeof value === 'string' ? [[path + key, value]] : typeof value === 'object' && value !== null ? texts(value, `${path}${key}.`) : [],
    )
  const german = new Map(texts({ ...de, causes: explained.de, more: moreDe }))
  const english = texts({ ...en, causes: explained.en, more: moreEn })
  const missing = english.filter(([key, text]) => text === '' || (german.get(key) ?? '') === '')
  const same = english.filter(([key, text]) => text.length > 25 && !text.includes('Europe/') && german.get(key) === text)
  t.ok(english.length > 200)
  t.strictSame(missing, [])
  t.strictSame(same, [])
  t.end()
})

await t.test('a question’s two answers are never the same word, nor one the beginning of the other', t => {
  const texts = (of: object): string[] =>
    Object.values(of).flatMap((value: unknown) =>
      typeof value === 'string' ? [value] : typeof value === 'object' && value !== null ? texts(value) : [],
    )
  for (const [words, more] of [
    [en, moreEn],
    [de, moreDe],
  ] as const) {
    const { cancel, ...rest } = words
    const alike = texts({ ...rest, more }).filter(text => text.toLowerCase().startsWith(cancel.toLowerCase()))
    t.strictSame(alike, [], words.language)
  }
  t.end()
})

await t.test('one node is not many', t => {
  const stalled = (missing: number): Board => board({ state: 'stalled', waves: [wave({ missing })] })
  t.match(rolloutSentence(stalled(1), de), /wenn er wieder da ist, oder ohne ihn/)
  t.match(rolloutSentence(stalled(2), de), /wenn sie wieder da sind, oder ohne sie/)
  t.match(rolloutSentence(stalled(1), en), /when it comes back, or without it/)
  t.equal(en.rollout.evidence(1), 'Last log line')
  t.equal(en.rollout.sources(1), 'from one peer')
  t.equal(de.rollout.sources(1), 'von einem Knoten')
  t.end()
})

await t.test('a gate is not open while its window is shut, nor while the wave before soaks', t => {
  const first = board({ window: 'Sat 02:00-04:00 Europe/Berlin', opens: 'Sat 02:00 Europe/Berlin' })
  t.equal(gateSentence(first, 0, en), 'Waits: the window opens Sat 02:00 (Europe/Berlin).')
  t.equal(gateSentence(first, 0, de), 'Wartet: das Zeitfenster öffnet Sa 02:00 (Europe/Berlin).')
  t.equal(gateStateOf(first, 0, en), 'next')
  t.equal(opening('Mon,Thu 02:00-04:00 Nowhere/Land', 'de'), 'Mon,Thu 02:00-04:00 Nowhere/Land', 'a zone that nobody knows')
  const passed = wave({ state: 'passed', size: 1, need: 1, confirmed: 1, waiting: 0 })
  const soaks = board({ waves: [passed, wave({ state: 'open' })] })
  t.equal(gateSentence(soaks, 1, en), 'Waits: wave 1 has passed; 10 seconds after that the next begins.')
  t.equal(gateStateOf(soaks, 1, en), 'next')
  const begun = board({ waves: [passed, wave({ state: 'open', cells: [node({ step: 'switching' }), node()] })] })
  t.equal(gateSentence(begun, 1, en), en.rollout.gate.open)
  t.equal(gateStateOf(begun, 1, en), 'open')
  t.end()
})

await t.test('what failed is said as it is now', t => {
  t.equal(presentOf(failure(), en), 'box-3: now without an app.', 'the first release of all')
  const newer = failure({ nodes: [served('box-3', 'hello@1.0.0')] })
  t.equal(presentOf(newer, en), 'box-3: now on hello 1.0.0.', 'which it never served before')
  const back = failure({ nodes: [served('box-3', 'hello@1.0.0', true)] })
  t.equal(presentOf(back, en), 'box-3 serves hello 1.0.0 again; its data is as it was.')
  const several = failure({ nodes: [served('a', null), served('b', 'hello@1.0.0', true), served('c', 'hello@1.0.0', true)] })
  t.equal(presentOf(several, en), 'a: now without an app. b and c serve hello 1.0.0 again; their data is as it was.')
  t.equal(presentOf(failure({ outcome: 'superseded', nodes: [served('a', 'x@1.0.0')] }), de), 'a: unberührt.')
  t.end()
})

await t.test('what a newer order has replaced is not waited for, and untouched only where nobody has begun', t => {
  const nodes = [served('b', null), served('c', null)]
  const replaced = board({
    state: 'halted',
    failures: [failure({ outcome: 'superseded', code: 'SUPERSEDED', newer: 'n', nodes }), failure()],
    waves: [wave({ size: 1, failed: 1 }), wave({ size: 1, missing: 1 }), wave({ size: 1, missing: 1 })],
  })
  t.equal(gateSentence(replaced, 0, en), en.rollout.gate.open, 'wave 1 has begun')
  t.equal(gateSentence(replaced, 1, en), 'Closed: 1 failed, 0 allowed.')
  t.equal(gateSentence(replaced, 2, en), en.rollout.gate.replaced)
  const untouched = board({ ...replaced, state: 'stalled', waves: [wave({ missing: 2 })] })
  t.equal(gateSentence(untouched, 0, en), en.rollout.gate.replaced)
  t.equal(rolloutSentence(untouched, en), 'A newer order has taken its place on 2 nodes. Nobody begins this one any more.')
  const refused = board({ state: 'stalled', waves: [wave({ missing: 2 })], failures: [failure({ outcome: 'refused' })] })
  t.equal(gateSentence(refused, 0, en), 'Closed: 1 node cannot take it. Nobody is touched.')
  t.end()
})

await t.test('a dry run that somebody cannot take needs nobody', t => {
  const no = failure({ outcome: 'refused', code: 'FAILED_BEFORE', message: 'hello@1.2.0 failed here before' })
  const dry = board({ dryRun: true, state: 'stalled', able: 2, failures: [no], waves: [wave({ size: 3, need: 3, missing: 1 })] })
  t.equal(rolloutSentence(dry, en), '2 of 3 could take it; box-3 cannot: hello@1.2.0 failed here before. A dry run changes nothing.')
  t.match(rolloutSentence(dry, de), /2 von 3 könnten es nehmen; box-3 kann es nicht: hello/)
  t.match(rolloutSentence({ ...dry, state: 'completed' }, en), /^2 of 3 could/, 'nor is it said that every node can')
  t.ok(isOver(dry))
  t.notOk(isStuck(dry))
  t.equal(rolloutWord(dry, en), 'not all can')
  t.match(sentenceOf(summary({ rollouts: [dry] }), en), { tone: 'ok', rest: '' })
  t.ok(isStuck(board({ state: 'stalled' })))
  t.notOk(isOver(board({ state: 'stalled' })))
  t.end()
})

await t.test('a wave in which too many failed is halted, and the others are not', t => {
  const halted = board({ state: 'halted', waves: [wave({ state: 'open', failed: 1 }), wave()] })
  t.strictSame(
    halted.waves.map(each => isHaltedIn(halted, each)),
    [true, false],
  )
  t.notOk(isHaltedIn(board(), wave({ failed: 1, maxFailed: 1 })))
  t.end()
})

await t.test('evidence is read as lines, without the digests of slots, also where it was cut', t => {
  const slot = `file:///tmp/f/3/instance/slots/${'6'.repeat(64)}/src/app/run.ts:27:11`
  const entry = { time: '2026-11-29T07:03:58.461Z', event: 'worker failed', on: 'go', error: `Error: no printer\n    at start (${slot})` }
  const whole = '07:03:58  worker failed  on=go error=Error: no printer\n    at start (src/app/run.ts:27:11)'
  t.equal(lineOf(entry), whole)
  t.equal(lineOfText(JSON.stringify(entry)), whole)
  t.equal(
    lineOfText(JSON.stringify(entry).slice(0, -4)),
    '07:03:58  worker failed  "on":"go","error":"Error: no printer\n    at start (src/app/run.ts:27:1 …',
  )
  t.equal(lineOf({ time: entry.time, event: 'output', text: 'C:\\new' }), '07:03:58  output  C:\\new')
  t.equal(lineOfText('an app’s own line'), 'an app’s own line')
  t.end()
})
