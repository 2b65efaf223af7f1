# Bash completion for communicator-sync. The program itself is asked for its
# commands and options, so this file is never out of date.

_communicator_sync()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local program=${COMP_WORDS[0]} command='' list='' i
    local config=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c | --config) config=(--config "${COMP_WORDS[++i]}") ;;
        --peer | -p | --wait | -w | --timeout | -t | --max-time | --splay | \
            --warning | --critical | --older-than | --where | --accept | \
            --model | --id | --since | --limit | --table | --write)
            ((i++)) ;;
        -*) ;;
        *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done
    COMPREPLY=()
    case $before in
    -c | --config | --write) list=$(compgen -f -- "$word") ;;
    -p | --peer | --accept)
        list=$("$program" "${config[@]}" configtest --dump 2>/dev/null |
            sed -n 's/^CommunicatorPeer *\([^ ]*\).*/\1/p') ;;
    -w | --wait | -t | --timeout | --max-time | --splay | --warning | \
        --critical | --older-than | --where | --id | --since | --limit | \
        --table) return ;;
    --model)
        list=$("$program" "${config[@]}" configtest --dump 2>/dev/null |
            sed -n 's/^CommunicatorModel *\([^ ]*\).*/\1/p') ;;
    *)
        case $command:$word in
        *:-*)
            list=$("$program" --help ${command:+"$command"} 2>/dev/null |
                sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\) .*/\2/p') ;;
        :*)
            list=$("$program" --help 2>/dev/null |
                sed -n '/^Commands:/,/^Options:/s/^  \([a-z]*\) .*/\1/p') ;;
        publish:* | verify:* | explain:* | revive:*)
            list=$("$program" "${config[@]}" configtest --dump 2>/dev/null |
                sed -n 's/^CommunicatorModel *\([^ ]*\).*/\1/p') ;;
        retry:* | discard:*)
            list=$("$program" "${config[@]}" configtest --dump 2>/dev/null |
                sed -n 's/^CommunicatorPeer *\([^ ]*\).*/\1/p') ;;
        esac ;;
    esac
    # shellcheck disable=SC2207
    COMPREPLY=($(compgen -W "$list" -- "$word"))
}

complete -F _communicator_sync communicator-sync
