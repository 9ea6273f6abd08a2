/**
 * The script for bash, from 3.2 on (macOS). Words are read from the line itself: bash's own begin anew at `@` and `=`, so what is offered behind one
 * is cut to what follows it.
 */
import { type Completions, type Hint, optionWords } from './words.ts'

const assigned = ({ values, names, isFile, isList }: Hint): string =>
  [
    ...(values.length === 0 ? [] : [`words='${values.join(' ')}'`]),
    ...(names === null ? [] : [`names=${names}`]),
    ...(isFile ? ['files=1'] : []),
    ...(isList ? ['list=1'] : []),
  ].join(' ') || ':'

export function bash({ places, valued }: Completions): string {
  const paths = [...places.keys()].filter(at => at !== '').map(at => `      '${at.includes(' ') ? at : ` ${at}`}') at='${at}' ;;`)
  const values = [...valued].map(([option, hint]) => `      ${option}) ${assigned(hint)} ;;`)
  const here = [...places].map(([at, place]) => {
    const hint = { ...place, values: [...place.commands, ...place.values] }
    return `      '${at}') ${assigned(hint)}; options='${optionWords(place).join(' ')}' ;;`
  })
  return `# shoal completion bash > /etc/bash_completion.d/shoal
_shoal() {
  local line="\${COMP_LINE:0:COMP_POINT}" at='' option='' cur='' words='' options='' names='' files='' list='' each begun=''
  local -a typed home
  read -ra typed <<< "$line"
  if [[ $line != *[[:space:]] ]]; then
    cur="\${typed[\${#typed[@]}-1]}"
    unset "typed[\${#typed[@]}-1]"
  fi
  for each in "\${typed[@]:1}"; do
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
  [[ -n $names && $cur != -* ]] && words="$words $("$1" completion --names "$names" "\${home[@]}" 2>/dev/null)"
  [[ $cur == -* || -z $words$files ]] && words="$options"
  [[ -n $list && $cur == *,* ]] && begun="\${cur%,*},"
  COMPREPLY=($(compgen -P "$begun" -W "$words" -- "\${cur#"$begun"}"))
  [[ $cur == *[@=:]* ]] && begun="\${cur%"\${cur##*[@=:]}"}" && COMPREPLY=("\${COMPREPLY[@]#"$begun"}")
  return 0
}
complete -o default -F _shoal shoal`
}
