/** Gives a person a file: the browser's own download, of what the page holds already. */
export function saveFile(name: string, bytes: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(bytes)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

export const saveJson = (name: string, text: string): void => saveFile(name, new Blob([text], { type: 'application/json' }))
