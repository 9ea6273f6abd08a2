/**
 * The script for bash, from 3.2 on (macOS). Words are read from the line itself: bash's own begin anew at `@` and `=`, so what is offered behind one
 * is cut to what follows it.
 */
import { type Dialect, walk } from './walk.ts'
import type { Completions } from './words.ts'

const dialect: Dialect = {
  typed: '"${typed[@]:1}"',
  list: (name, words) => `${name}='${words.join(' ')}'`,
  offered: 'words',
}

export const bash = (completions: Completions): string => `# shoal completion bash > /etc/bash_completion.d/shoal
_shoal() {
  local line="\${COMP_LINE:0:COMP_POINT}" at='' option='' cur='' words='' options='' names='' files='' list='' each begun=''
  local -a typed home
  read -ra typed <<< "$line"
  if [[ $line != *[[:space:]] ]]; then
    cur="\${typed[\${#typed[@]}-1]}"
    unset "typed[\${#typed[@]}-1]"
  fi
${walk(completions, dialect)}
  [[ -n $names && $cur != -* ]] && words="$words $("$1" completion --names "$names" "\${home[@]}" 2>/dev/null)"
  [[ $cur == -* || -z $words$files ]] && words="$options"
  [[ -n $list && $cur == *,* ]] && begun="\${cur%,*},"
  COMPREPLY=($(compgen -P "$begun" -W "$words" -- "\${cur#"$begun"}"))
  [[ $cur == *[@=:]* ]] && begun="\${cur%"\${cur##*[@=:]}"}" && COMPREPLY=("\${COMPREPLY[@]#"$begun"}")
  return 0
}
complete -o default -F _shoal shoal`
