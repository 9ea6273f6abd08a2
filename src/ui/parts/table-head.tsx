/** The head of a table: its columns by name, and one for what can be done, which only a screen reader is told of. */
import type { ComponentChildren, JSX } from 'preact'

interface Names {
  /** What stands before the first column, above boxes to tick. */
  readonly first?: ComponentChildren
  readonly columns: readonly string[]
  readonly actions?: string | undefined
}

export const TableHead = ({ first, columns, actions }: Names): JSX.Element => (
  <thead>
    <tr>
      {first !== undefined && first !== false && <td class="pick">{first}</td>}
      {columns.map(column => (
        <th key={column} scope="col">
          {column}
        </th>
      ))}
      {actions !== undefined && (
        <th scope="col">
          <span class="visually-hidden">{actions}</span>
        </th>
      )}
    </tr>
  </thead>
)
