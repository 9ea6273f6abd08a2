/** The head of a table: its columns by name, and one for what can be done, which only a screen reader is told of. */
import type { JSX } from 'preact'

interface Names {
  readonly columns: readonly string[]
  readonly actions?: string | undefined
}

export const TableHead = ({ columns, actions }: Names): JSX.Element => (
  <thead>
    <tr>
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
