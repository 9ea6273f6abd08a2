/** What the scripts of bash and zsh have in common: over the words that are typed already to the place where one stands, and what fits there. */
import { type Completions, type Hint, optionWords } from './words.ts'

export interface Dialect {
  /** The words typed before the one under the cursor, as the list of a `for`. */
  readonly typed: string
  /** Gives a list to a variable. */
  readonly list: (name: string, words: readonly string[]) => string
  /** The variable for what is offered. */
  readonly offered: string
}

const assigned = ({ values, names, isFile, isList }: Hint, { list, offered }: Dialect): string =>
  [
    ...(values.length === 0 ? [] : [list(offered, values)]),
    ...(names === null ? [] : [`names=${names}`]),
    ...(isFile ? ['files=1'] : []),
    ...(isList ? ['list=1'] : []),
  ].join(' ') || ':'

/** Lines of a function; they set what is offered, `options`, `names`, `files`, `list` and `home`. */
export function walk({ places, valued }: Completions, dialect: Dialect): string {
  const paths = [...places.keys()].filter(at => at !== '').map(at => `      '${at.includes(' ') ? at : ` ${at}`}') at='${at}' ;;`)
  const values = [...valued].map(([option, hint]) => `      ${option}) ${assigned(hint, dialect)} ;;`)
  const here = [...places].map(([at, place]) => {
    const hint = { ...place, values: [...place.commands, ...place.values] }
    return `      '${at}') ${assigned(hint, dialect)}; ${dialect.list('options', optionWords(place))} ;;`
  })
  return `  for each in ${dialect.typed}; do
    if [[ -n $option ]]; then
      [[ $option == --home || $option == --server ]] && home=("$option" "$each")
      option=''
      continue
    fi
    case "$each" in
      ${[...valued.keys()].join('|')}) option="$each"; continue ;;
      -*) continue ;;
    esac
    case "$at $each" in
${paths.join('\n')}
    esac
  done
  if [[ -n $option ]]; then
    case "$option" in
${values.join('\n')}
    esac
  else
    case "$at" in
${here.join('\n')}
    esac
  fi`
}
