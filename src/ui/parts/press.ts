/** A button that is off for a while. By `disabled` it would lose the focus, and who works by keyboard their place; so it is only said to be off. */
export interface Press {
  readonly 'aria-disabled': boolean
  readonly onClick: () => void
}

export const press = (isOff: boolean, run: () => void): Press => ({
  'aria-disabled': isOff,
  onClick: () => {
    if (!isOff) run()
  },
})
