/** What a node tells of itself alone, on its own page; and where it is told for all others. */
import type { JSX } from 'preact'
import type { NodeView } from '../api/types.ts'
import { Commands } from '../parts/basics.tsx'
import { moreWords } from '../words/more.ts'
import { Backups } from './backups.tsx'
import { Disk } from './disk.tsx'
import { Peers } from './peers.tsx'
import { Settings } from './settings.tsx'

export const ThisNode = ({ node }: { readonly node: NodeView }): JSX.Element => (
  <>
    <Peers />
    <Backups />
    <Disk />
    <Settings node={node} />
  </>
)

export const OtherNode = ({ node }: { readonly node: NodeView }): JSX.Element => {
  const w = moreWords()
  const url = `https://${node.address}`
  return (
    <section class="card">
      <p class="sub">{w.elsewhere(node.name)}</p>
      {node.address !== '' && (
        <p>
          <a href={`${url}/_shoal/#/nodes/self`}>{w.toPage(node.name)}</a>
        </p>
      )}
      <Commands lines={['peers', 'backup list', 'prune --dry-run', 'config get'].map(what => `shoal ${what}`)} />
    </section>
  )
}
