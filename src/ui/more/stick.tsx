/** Carries what the fleet knows to a part of it that no network reaches, and back: the same file as `shoal export` writes and `shoal import` takes. */
import { type Signal, useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { blob, get, post, Refusal, upload } from '../api/http.ts'
import type { ReleaseView } from '../api/types.ts'
import { Forbidden, may } from '../parts/action.tsx'
import { Commands, Problem } from '../parts/basics.tsx'
import { saveFile } from '../parts/save.ts'
import { size } from '../parts/say.ts'
import { words } from '../words/index.ts'
import { moreWords } from '../words/more.ts'
import { type Asking, useAsking } from './ask.ts'
import { readStick, sha256, type StickFile, writeStick } from './stick-file.ts'

interface Known {
  readonly fleet: string
  readonly facts: readonly { readonly kind: string }[]
  readonly plans: unknown
}

/** Facts without which the node would not know what a package is for. */
const first = new Set(['root', 'member', 'removal', 'node', 'release'])

async function packages(said: Signal<string>): Promise<StickFile['entries']> {
  const { releases } = await get<{ readonly releases: readonly ReleaseView[] }>('releases?limit=10000')
  const entries: StickFile['entries'][number][] = []
  const seen = new Set<string>()
  for (const release of releases) {
    for (const digest of Object.values(release.packages)) {
      if (seen.has(digest)) continue
      seen.add(digest)
      said.value = moreWords().stick.outBusy(`${release.name} ${release.version}`)
      const bytes = await blob(`packages/${digest}`)
      // What this node never fetched, somebody else exports.
      if (bytes !== null) entries.push({ kind: 'package', size: bytes.size, sha256: digest, bytes })
    }
  }
  return entries
}

async function makeFile(said: Signal<string>): Promise<void> {
  const { fleet, facts, plans } = await get<Known>('export')
  const bytes = new Blob([JSON.stringify({ fleet, facts, plans })])
  const rest = await packages(said)
  const made = writeStick(fleet, [{ kind: 'facts', size: bytes.size, sha256: await sha256(bytes), bytes }, ...rest])
  saveFile('fleet.shoal', made)
  said.value = moreWords().stick.outDone(size(made.size, words().locale), rest.length)
}

/** First whether all of it is good; then what names the packages, and these; last the orders, so that nobody looks elsewhere for them. */
async function handIn(file: File, said: Signal<string>): Promise<void> {
  const w = moreWords().stick
  const stick = await readStick(file, w.broken)
  const own = await get<{ readonly fleet: string }>('fleet')
  if (stick.fleet !== own.fleet) throw new Refusal('OTHER_FLEET', w.foreign, 400)
  const all = JSON.parse((await stick.entries.find(entry => entry.kind === 'facts')?.bytes.text()) ?? '') as Known
  await post('import', { ...all, check: true })
  await post('import', { ...all, facts: all.facts.filter(fact => first.has(fact.kind)), plans: [] })
  const list = stick.entries.filter(entry => entry.kind === 'package')
  let sent = 0
  for (const [at, entry] of list.entries()) {
    said.value = w.inBusy(at, list.length)
    sent += (await taken(entry)) ? 1 : 0
  }
  const { facts } = await post<{ readonly facts: number }>('import', all)
  said.value = w.inDone(facts, sent)
}

async function taken({ bytes, sha256: digest }: StickFile['entries'][number]): Promise<boolean> {
  try {
    await upload('packages', bytes, { 'content-type': 'application/zip', 'x-shoal-digest': digest }, () => undefined)
    return true
  } catch (error) {
    // Of a release that the fleet has forgotten: its bytes are nobody's.
    if (error instanceof Refusal && error.code === 'UNKNOWN_DIGEST') return false
    throw error
  }
}

const Choose = ({ asking, said }: { readonly asking: Asking; readonly said: Signal<string> }): JSX.Element => (
  <label class={may('operator') ? 'button file' : 'button file off'}>
    {moreWords().stick.in}
    <input
      class="visually-hidden"
      type="file"
      disabled={!may('operator') || asking.isBusy.value}
      onChange={event => {
        const [file] = event.currentTarget.files ?? []
        event.currentTarget.value = ''
        if (file !== undefined) asking.run(() => handIn(file, said))
      }}
    />
  </label>
)

export const Stick = (): JSX.Element => {
  const said = useSignal('')
  const asking = useAsking()
  const { isBusy, refusal, run } = asking
  const w = moreWords().stick
  return (
    <section class="card" aria-labelledby="stick">
      <h2 id="stick">{w.title}</h2>
      <p class="sub">{w.text}</p>
      <div class="verbs">
        <button type="button" disabled={isBusy.value} onClick={() => run(() => makeFile(said))}>
          {w.out}
        </button>
        <Choose asking={asking} said={said} />
        <Forbidden role="operator" />
      </div>
      {said.value !== '' && <p role="status">{said.value}</p>}
      {refusal.value !== null && <Problem code={refusal.value.code} message={refusal.value.message} />}
      <Commands lines={['shoal export fleet.shoal', 'shoal import fleet.shoal']} />
    </section>
  )
}
