# bash completion for picstore: commands and options come from the program itself.
_picstore() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} command='' words i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-c | --config) ((i++)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	words=$("$program" help --words 2>/dev/null) || return

	if [[ -z $command ]]; then
		if [[ $before == -c || $before == --config ]]; then
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
		else
			mapfile -t COMPREPLY < <(compgen -W "help --config --help --version
				$(cut -d' ' -f1 <<<"$words")" -- "$word")
		fi
	elif [[ $command == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$words")" -- "$word")
	elif [[ $word == -* ]]; then
		words=$(sed -n "s/^$command //p" <<<"$words")
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		[[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
	elif [[ $command == config && $before == config ]]; then
		mapfile -t COMPREPLY < <(compgen -W "sample markdown check" -- "$word")
	else
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -F _picstore picstore
