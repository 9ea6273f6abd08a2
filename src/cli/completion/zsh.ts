/** The script for zsh. No variable in it is called `path`: zsh ties that one to PATH, and no command would be found any more. */
import { type Dialect, walk } from './walk.ts'
import type { Completions } from './words.ts'

const dialect: Dialect = {
  typed: '"${(@)words[2,CURRENT-1]}"',
  list: (name, words) => `${name}=(${words.join(' ')})`,
  offered: 'offered',
}

export const zsh = (completions: Completions): string => `#compdef shoal
# shoal completion zsh > a file named _shoal in a folder of $fpath
_shoal() {
  local at='' option='' names='' files='' list='' each
  local -a offered options home
${walk(completions, dialect)}
  [[ -n $names && $PREFIX != -* ]] && offered+=("\${(@f)$("\${words[1]}" completion --names "$names" "\${home[@]}" 2>/dev/null)}")
  [[ $PREFIX == -* || ( \${#offered} -eq 0 && -z $files ) ]] && offered=("\${options[@]}")
  [[ -n $list ]] && compset -P '*,'
  compadd -- "\${offered[@]}"
  [[ -n $files && $PREFIX != -* ]] && _files
  return 0
}
if [[ $funcstack[1] == _shoal ]]; then _shoal "$@"; else compdef _shoal shoal; fi`
