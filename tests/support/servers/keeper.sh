# Keeps one server for a test: starts and ends it as it is told, a word a line, and answers each with a line.
# When its input ends, and so with the test's process, whatever becomes of that, it ends the server and removes its directory.
#
# Arguments: a directory for the server, which this script makes, so that it never stays behind; the signal that ends the
# server for good; its command, which a port completes.
dir=$1 last=$2
shift 2
server=
# A test that was killed reads no answers, which must not kill this script.
trap '' PIPE HUP
mkdir -m 700 "$dir" && cd "$dir" || exit 1

# The server with the processes that it has begun, where the system shows them.
family() {
    for stat in /proc/[0-9]*/stat; do
        read -r pid name state parent rest <"$stat" && [ "$parent" = "$server" ] && echo "$pid"
    done 2>/dev/null
    echo "$server"
}

# Ends the server by a signal, and waits for it. KILL takes the whole family, as a power cut would; nobody joins that while
# the server is stopped. Who was left of it could wait for ever for a lock of one that was killed.
end() {
    [ -n "$server" ] || return
    if [ "$1" = KILL ]; then
        kill -STOP $server
        kill -KILL $(family)
    else
        kill "-$1" $server
    fi
    wait $server
    server=
} 2>/dev/null

while read -r word port; do
    case $word in
    start)
        "$@" "$port" >>log 2>&1 &
        server=$!
        echo "$server"
        ;;
    alive)
        jobs >jobs
        if grep -q Running jobs; then echo yes; else echo no; fi
        ;;
    *)
        end "$word"
        echo ended
        ;;
    esac
done

end "$last"
cd /
# A process that outlives the server for a moment may still write.
tries=0
while [ -e "$dir" ] && [ $tries -lt 100 ]; do
    rm -rf "$dir" 2>/dev/null || sleep 0.1
    tries=$((tries + 1))
done
