/** Small drawings of our own, each with a shape that can be told from the others without its colour. */
import type { JSX } from 'preact'
import type { Mark } from './marks.ts'

const shapes = {
  ok: 'M3.5 8.4l3 3L12.5 5',
  failed: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  back: 'M6.5 4L3.5 7l3 3M3.5 7H10a2.750 2.750 0 0 1 0 5.5H7',
  refused: 'M8 3.5v5M8 11.9v.1',
  excused: 'M4 8h8',
  lost: 'M5.9 6.1a2.150 2.150 0 1 1 3.2 1.9C8.3 8.5 8 8.9 8 9.6M8 12.1v.1',
  ill: 'M2.5 8.5h2.7l1.5-4 2.5 7 1.5-3h2.8',
  held: 'M6 4.5v7M10 4.5v7',
  transfer: 'M8 3v7M5 7.2l3 3 3-3M4 12.8h8',
  busy: 'M8 3.2a4.8 4.8 0 1 0 4.8 4.8M8 5.4V8l1.9 1.5',
  waiting: 'M3.8 8v.1M8 8v.1M12.2 8v.1',
  fleet: 'M2 6.2c2-2.2 5.2-2.2 7.2-.3L11 4.5v3.6L9.2 6.8C7.2 8.4 4 8.4 2 6.2zM6 11.2c2-2.2 5.2-2.2 7.2-.3',
  rollouts: 'M2.5 4.5h4M2.5 8h7.5M2.5 11.5h11',
  releases: 'M8 2.5l5 2.7v5.6l-5 2.7-5-2.7V5.2zM3 5.2l5 2.8 5-2.8M8 8v5.5',
  people:
    'M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM2 13c.3-2.3 1.9-3.5 4-3.5s3.7 1.2 4 3.5M10.5 3.3a2.2 2.2 0 0 1 0 4M11.5 9.7c1.5.3 2.3 1.5 2.5 3.3',
  log: 'M4 2.5h6l2.5 2.5v8.5H4zM6 7.5h4.5M6 10h4.5',
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  more: 'M6 4l4 4-4 4',
  upload: 'M8 10.5V3.5M5 6.3l3-3 3 3M3 10v3h10v-3',
  nodes: 'M3 3h10v4H3zM3 9h10v4H3zM5.2 5v.1M5.2 11v.1',
} as const satisfies Record<Mark, string> & Record<string, string>

export type Shape = keyof typeof shapes

/** Hidden from screen readers: a word stands beside it. */
export const Icon = ({ shape }: { readonly shape: Shape }): JSX.Element => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d={shapes[shape]} />
  </svg>
)

export const Logo = (): JSX.Element => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path d="M3 9.5c3.6-3.7 9.5-3.7 13-.7L19 6.5v6.3l-3-2.3C12.5 13.3 6.6 13.3 3 9.5z" />
    <path d="M12 17c3.6-3.7 9.5-3.7 13-.7L28 14v6.3l-3-2.3c-3.5 2.8-9.4 2.8-13-1z" opacity=".72" />
    <path d="M4 24.5c3-3.1 7.9-3.1 10.8-.6L17.3 22v5.2l-2.5-1.9C11.9 27.6 7 27.6 4 24.5z" opacity=".45" />
  </svg>
)
