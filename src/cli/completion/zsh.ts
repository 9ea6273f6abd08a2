/** The script for zsh. No variable in it is called \`path\`: zsh ties that one to PATH, and no command would be found any more. */
import { type Completions, type Hint, optionWords } from './words.ts'

const assigned = ({ values, names, isFile, isList }: Hint): string =>
  [
    ...(values.length === 0 ? [] : [`offered=(${values.join(' ')})`]),
    ...(names === null ? [] : [`names=${names}`]),
    ...(isFile ? ['files=1'] : []),
    ...(isList ? ['list=1'] : []),
  ].join(' ') || ':'

export function zsh({ places, valued }: Completions): string {
  const paths = [...places.keys()].filter(at => at !== '').map(at => `      '${at.includes(' ') ? at : ` ${at}`}') at='${at}' ;;`)
  const values = [...valued].map(([option, hint]) => `      ${option}) ${assigned(hint)} ;;`)
  const here = [...places].map(([at, place]) => {
    const hint = { ...place, values: [...place.commands, ...place.values] }
    return `      '${at}') ${assigned(hint)}; options=(${optionWords(place).join(' ')}) ;;`
  })
  return `#compdef shoal
# shoal completion zsh > a file named _shoal in a folder of $fpath
_shoal() {
  local at='' option='' names='' files='' list='' each
  local -a offered options home
  for each in "\${(@)words[2,CURRENT-1]}"; do
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
  fi
  [[ -n $names && $PREFIX != -* ]] && offered+=("\${(@f)$("\${words[1]}" completion --names "$names" "\${home[@]}" 2>/dev/null)}")
  [[ $PREFIX == -* || ( \${#offered} -eq 0 && -z $files ) ]] && offered=("\${options[@]}")
  [[ -n $list ]] && compset -P '*,'
  compadd -- "\${offered[@]}"
  [[ -n $files && $PREFIX != -* ]] && _files
  return 0
}
if [[ $funcstack[1] == _shoal ]]; then _shoal "$@"; else compdef _shoal shoal; fi`
}
