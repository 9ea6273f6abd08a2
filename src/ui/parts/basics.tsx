/** Small parts that every screen uses. Native elements only: what a browser knows, a screen reader knows. */
import { useSignal } from '@preact/signals'
import type { ComponentChildren, JSX } from 'preact'
import type { NodeMark } from '../api/types.ts'
import { linkTo } from '../route.ts'
import { words } from '../words/index.ts'
import { Icon } from './icon.tsx'
import { type Mark, toneOf } from './marks.ts'

export const Badge = ({ mark, children }: { readonly mark: Mark; readonly children: ComponentChildren }): JSX.Element => (
  <span class={`badge ${toneOf[mark]}`}>
    <Icon shape={mark} />
    {children}
  </span>
)

/** A node as one cell of a picture: shape, colour, and words for who does not see them. */
export const Cell = ({ node, mark, isNamed = false }: CellProps): JSX.Element => {
  const text = `${node.name}: ${words().marks[mark]}${mark === 'transfer' ? ` ${node.percent} %` : ''}`
  return (
    <li>
      <a class={`cell ${toneOf[mark]} ${mark}`} href={linkTo('nodes', node.id)} title={text} aria-label={text}>
        <Icon shape={mark} />
        {isNamed && <span>{node.name}</span>}
      </a>
    </li>
  )
}

interface CellProps {
  readonly node: NodeMark
  readonly mark: Mark
  /** With its name beside it, where there are few. */
  readonly isNamed?: boolean
}

export const Cells = ({ nodes, markOf, label, isNamed = false }: CellsProps): JSX.Element => (
  <ul class={isNamed ? 'cells named' : 'cells'} aria-label={label}>
    {nodes.map(node => (
      <Cell key={node.id} node={node} mark={markOf(node)} isNamed={isNamed} />
    ))}
  </ul>
)

interface CellsProps {
  readonly nodes: readonly NodeMark[]
  readonly markOf: (node: NodeMark) => Mark
  readonly label: string
  readonly isNamed?: boolean
}

/** A command that does the same as what stands above it: to learn, to write down, to tell somebody on the phone. */
export const Command = ({ text }: { readonly text: string }): JSX.Element => (
  <div class="command">
    <code>{text}</code>
    <Copy text={text} />
  </div>
)

export const Copy = ({ text }: { readonly text: string }): JSX.Element => {
  const done = useSignal(false)
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => {
      done.value = true
      setTimeout(() => (done.value = false), 2000)
    })
  }
  return (
    <button type="button" class="quiet small" onClick={copy}>
      <Icon shape={done.value ? 'ok' : 'copy'} />
      {done.value ? words().copied : words().copy}
    </button>
  )
}

export const Commands = ({ lines }: { readonly lines: readonly string[] }): JSX.Element => (
  <details class="commands">
    <summary>{words().commandLine}</summary>
    {lines.map(line => (
      <Command key={line} text={line} />
    ))}
  </details>
)

export const Loading = (): JSX.Element => (
  <p class="loading" role="status">
    {words().loading}
  </p>
)

/** What was refused, in the node's own words, with its code. */
export const Problem = ({ code, message }: { readonly code: string; readonly message: string }): JSX.Element => (
  <p class="problem" role="alert">
    <Icon shape="refused" />
    <span>
      {message} <code>{code}</code>
    </span>
  </p>
)

export const Empty = ({ title, text, children }: EmptyProps): JSX.Element => (
  <div class="empty">
    <h2>{title}</h2>
    <p>{text}</p>
    {children}
  </div>
)

interface EmptyProps {
  readonly title: string
  readonly text: string
  readonly children?: ComponentChildren
}
