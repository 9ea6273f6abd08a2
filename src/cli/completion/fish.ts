/** The script for fish, which shows what each option is for. */
import { type Completions, type Hint, type Place, partsOf } from './words.ts'

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** Words and names of a value; several with commas go on behind the last one. */
function offer({ values, names, isList }: Hint): string {
  const asked = names === null ? '' : isList ? `(__shoal_list ${names})` : `(__shoal_names ${names})`
  const words = [...values, asked].filter(word => word !== '').join(' ')
  return words === '' ? '' : ` -a ${quoted(words)}`
}

function optionLine(at: string, option: Place['options'][number], valued: Completions['valued']): string {
  const { names, value } = partsOf(option)
  const named = names.map(name => (name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`)).join('')
  const hint = valued.get(names.at(-1) ?? '')
  const takes = value === null || hint === undefined ? '' : hint.isFile ? ' -r -F' : ` -x${offer(hint)}`
  return `complete -c shoal -n ${quoted(`__shoal_is '${at}'`)}${named}${takes} -d ${quoted(option.about)}`
}

export function fish({ places, valued }: Completions): string {
  const lines = [...places].flatMap(([at, place]) => [
    ...place.options.map(option => optionLine(at, option, valued)),
    `complete -c shoal -n ${quoted(`__shoal_is '${at}'`)}${place.isFile ? ' -F' : ''}${offer({ ...place, values: [...place.commands, ...place.values] })}`,
  ])
  return `# shoal completion fish > ~/.config/fish/completions/shoal.fish
function __shoal_is
  set -l at ''
  set -l option ''
  set -l paths ${[...places.keys()]
    .filter(at => at !== '')
    .map(quoted)
    .join(' ')}
  for each in (commandline -opc)[2..-1]
    if test -n "$option"
      set option ''
      continue
    end
    switch $each
      case ${[...valued.keys()].join(' ')}
        set option $each
        continue
      case '-*'
        continue
    end
    set -l longer (string trim -- "$at $each")
    contains -- $longer $paths; and set at $longer
  end
  test "$at" = "$argv[1]"
end
function __shoal_names
  set -l typed (commandline -opc)
  set -l home
  for i in (seq 2 (count $typed))
    contains -- $typed[$i] --home --server; and set home $typed[$i] $typed[(math $i + 1)]
  end
  $typed[1] completion --names $argv[1] $home 2>/dev/null
end
function __shoal_list
  set -l begun (string replace -r '[^,]*$' '' -- (commandline -ct))
  for each in (__shoal_names $argv[1])
    echo $begun$each
  end
end
complete -c shoal -f
${lines.join('\n')}`
}
