/** What a node alone knows, with what can be done about it on the page that it serves itself; of others it is shown, and where to go. */
import type { JSX } from 'preact'
import type { NodeView } from '../api/types.ts'
import { Commands } from '../parts/basics.tsx'
import { moreWords } from '../words/more.ts'
import { About } from './about.tsx'
import { Backups } from './backups.tsx'
import { Disk } from './disk.tsx'
import { Peers } from './peers.tsx'
import { Settings } from './settings.tsx'
import { Stop } from './stop.tsx'

export const ThisNode = ({ node }: { readonly node: NodeView }): JSX.Element => (
  <>
    <About node={node} />
    <Peers />
    <Backups />
    <Disk />
    <Settings node={node} />
    <Stop node={node} />
  </>
)

export const OtherNode = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const w = moreWords()
  const url = `https://${node.address}`
  return (
    <>
      <About node={node} />
      <section class="card">
        <p class="sub">{w.elsewhere(node.name)}</p>
        {node.address !== '' && (
          <p>
            <a href={`${url}/_shoal/#/nodes/self`}>{w.toPage(node.name)}</a>
          </p>
        )}
        <Commands lines={['backup create', 'prune', 'config get', 'peers add HOST:PORT'].map(what => `shoal ${what}`)} />
      </section>
    </>
  )
}
