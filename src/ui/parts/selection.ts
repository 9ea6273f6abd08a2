/** Nodes that a person has selected, whatever page or filter shows them. */
import type { Signal } from '@preact/signals'

/** Names by id. */
export type Selection = Signal<ReadonlyMap<string, string>>

/** With these nodes in it, or out of it. */
export function select(selection: Selection, nodes: readonly { readonly id: string; readonly name: string }[], isOn: boolean): void {
  const next = new Map(selection.value)
  for (const { id, name } of nodes) {
    if (isOn) next.set(id, name)
    else next.delete(id)
  }
  selection.value = next
}
