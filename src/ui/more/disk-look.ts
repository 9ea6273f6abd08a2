/** What a node says of its disk. */
export interface Item {
  readonly kind: string
  readonly id: string
  readonly name: string
  readonly bytes: number
  readonly needs: readonly string[]
}

export interface DiskLook {
  readonly freeBytes: number
  readonly totals: readonly { readonly kind: string; readonly count: number; readonly bytes: number; readonly reclaimable: number }[]
  readonly items: readonly Item[]
}

export const nameOfItem = ({ name, id }: Item): string => (name === '' ? id.slice(0, 40) : name)
