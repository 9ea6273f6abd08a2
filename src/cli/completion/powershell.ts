/** The script for PowerShell. */
import { type Completions, type Hint, optionWords } from './words.ts'

/** Single quotes hold every character of a word but themselves. */
const quoted = (word: string): string => `'${word.replaceAll("'", "''")}'`
const list = (words: readonly string[]): string => `@(${words.map(quoted).join(', ')})`
const row = (key: string, words: readonly string[], { names }: Hint): string =>
  `    ${quoted(key)} = @{ words = ${list(words)}; names = ${quoted(names ?? '')} }`

export function powershell({ places, valued }: Completions): string {
  const rows = [...places].map(([at, place]) => row(at, [...place.commands, ...place.values, ...optionWords(place)], place))
  const values = [...valued].map(([option, hint]) => row(option, hint.values, hint))
  return `# shoal completion powershell | Out-String | Invoke-Expression    # or add it to $PROFILE
Register-ArgumentCompleter -Native -CommandName shoal -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $places = @{
${rows.join('\n')}
  }
  $valued = @{
${values.join('\n')}
  }
  $at = ''
  $option = ''
  foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
    if ($element.Extent.EndOffset -ge $cursorPosition) { break }
    $word = "$element"
    if ($option -ne '') { $option = ''; continue }
    if ($valued.ContainsKey($word)) { $option = $word; continue }
    $longer = ("$at $word").Trim()
    if ($places.ContainsKey($longer)) { $at = $longer }
  }
  $place = if ($option -ne '') { $valued[$option] } else { $places[$at] }
  $offered = $place.words
  if ($place.names -ne '') { $offered += & "$($commandAst.CommandElements[0])" completion --names $place.names 2>$null }
  $offered | Where-Object { $_ -like "$wordToComplete*" } |
    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}`
}
