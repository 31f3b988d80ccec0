#!/usr/bin/env bash
# The RESP example beside the real thing: first redis-cli talks to it, then redis-benchmark loads it and redis-server in
# turns, with the same requests, each pinned to the first core and the client to the second.
#
# scripts/resp.sh [--quick] [--tokio] [--backends] [--depths N,N...]
#   --quick     smaller counts, to see that it works
#   --tokio     beside them a server as a user of tokio would write it (benches/peers/src/bin/resp_tokio)
#   --backends  the example on io_uring and on readiness, instead of on what it chooses
#   --depths    these pipelines instead of 1,16,128
# Needs redis-server, redis-cli and redis-benchmark. Each figure is a median of five runs (one with --quick).
# Throughput is the client's word; processor time per request is the server's, from the operating system. What fails it is a
# wrong answer, never a time.
set -euo pipefail
cd "$(dirname "$0")/.."

for program in redis-server redis-cli redis-benchmark; do
    command -v "$program" >/dev/null || {
        printf 'resp: SKIPPED: %s is not here\n' "$program"
        exit 0
    }
done
count=1000000 single=100000 rounds=5 tokio=no backends=auto depths='1 16 128'
while [ $# -gt 0 ]; do
    case $1 in
        --quick) count=100000 single=10000 rounds=1 ;;
        --tokio) tokio=yes ;;
        --backends) backends='uring poll' ;;
        --depths) depths=${2//,/ }; shift ;;
        *) printf 'resp: no such option: %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
done

cargo build --locked --release --example resp
if [ "$tokio" = yes ]; then
    cargo build --locked --release --manifest-path benches/peers/Cargo.toml --bin resp-tokio
fi
work=$(mktemp -d)
servers=()
cleanup() {
    kill "${servers[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# The words that pin what follows them to a core, where there is more than one.
pin() {
    if command -v taskset >/dev/null && [ "$(nproc)" -gt 1 ]; then printf 'taskset -c %s' "$1"; fi
}

# Waits until a file has a line that matches, and shows it; fails when the process that writes it has ended.
await_line() {
    local file=$1 pattern=$2 process=$3 tries=600
    until grep -m1 -- "$pattern" "$file" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] && kill -0 "$process" 2>/dev/null || { cat "$file" >&2; return 1; }
        sleep 0.1
    done
}

# Starts a server that says where it listens, under a name.
names=() ports=() processes=()
start() {
    local name=$1
    shift
    # shellcheck disable=SC2046 # the words are to be split
    $(pin 0) "$@" >"$work/$name" 2>&1 &
    servers+=($!) names+=("$name") processes+=($!)
    ports+=("$(await_line "$work/$name" 'listening at' "$!" | sed 's/.*:\([0-9]*\) with.*/\1/')")
}
for backend in $backends; do
    name=corelane
    if [ "$backend" != auto ]; then name=corelane-$backend; fi
    start "$name" "${CARGO_TARGET_DIR:-target}/release/examples/resp" --port 0 --cores 0 --backend "$backend"
done
if [ "$tokio" = yes ]; then
    start tokio "${CARGO_TARGET_DIR:-benches/peers/target}/release/resp-tokio" --port 0
fi
# It cannot be told to take any port that is free: with one that is not, it ends, and the next is tried.
for theirs in $(seq 16379 16479); do
    # shellcheck disable=SC2046 # the words are to be split
    $(pin 0) redis-server --port "$theirs" --bind 127.0.0.1 --save '' --appendonly no --daemonize no >"$work/theirs" 2>&1 &
    redis=$!
    if await_line "$work/theirs" 'Ready to accept' "$redis" >/dev/null 2>&1; then break; fi
    kill "$redis" 2>/dev/null || true
done
kill -0 "$redis" || { cat "$work/theirs"; exit 1; }
servers+=("$redis")

# --- answers ---

check() {
    local port=$1
    {
        redis-cli -p "$port" <<'EOF'
FLUSHALL
PING
SET greeting "hello world"
GET greeting
GET nothing
MSET a 1 b 2 c 3
MGET a b nothing c
INCR a
INCRBY a 40
INCR greeting
EXISTS a b nothing
DEL b nothing
SET once 1 NX
SET once 2 NX
EXPIRE once 100
TTL once
TTL a
TTL nothing
SET gone 1 PX 1
ECHO "two words"
DBSIZE
EOF
        redis-cli -3 -p "$port" GET nothing
        seq 1 5000 | sed 's/^\([0-9]*\)$/SET k\1 v\1/' | redis-cli -p "$port" --pipe 2>&1 | grep -E '^errors'
        redis-cli -p "$port" MGET k1 k2500 k5000
    } 2>&1
}
check "$theirs" >"$work/expected"
for at in "${!names[@]}"; do
    # It knows GET, SET and PING alone.
    if [ "${names[at]}" = tokio ]; then continue; fi
    check "${ports[at]}" >"$work/answers"
    diff "$work/expected" "$work/answers" || {
        printf 'resp: FAILED: other answers than those of redis-server: %s\n' "${names[at]}"
        exit 1
    }
done
printf 'resp: %s answers are those of redis-server\n' "$(wc -l <"$work/answers")"

# --- load ---

# Nanoseconds of processor that a process's threads have had.
used() { awk '{ sum += $1 } END { printf "%.0f", sum }' "/proc/$1/task/"*/schedstat; }

# name, port, process, command, pipeline: a line of throughput, p50 and p99 in milliseconds, microseconds of processor a request
load() {
    local name=$1 port=$2 process=$3 command=$4 depth=$5 n before after line
    n=$([ "$depth" = 1 ] && echo "$single" || echo "$count")
    before=$(used "$process")
    # shellcheck disable=SC2046
    line=$($(pin 1) redis-benchmark -p "$port" -t "$command" -n "$n" -c 50 -P "$depth" -q --csv 2>/dev/null | tail -1 | tr -d '"')
    after=$(used "$process")
    awk -F, -v name="$name" -v t="$command $depth" -v us="$(awk "BEGIN { print ($after - $before) / 1e3 / $n }")" \
        '{ print t, name, $2, $5, $7, us }' <<<"$line" >>"$work/figures"
}
for depth in $depths; do
    for command in set get; do
        for _ in $(seq "$rounds"); do
            load redis "$theirs" "$redis" "$command" "$depth"
            for at in "${!names[@]}"; do
                load "${names[at]}" "${ports[at]}" "${processes[at]}" "$command" "$depth"
            done
        done
    done
done
# The median of a column for a command, a depth and a server.
median() {
    awk -v c="$1" -v d="$2" -v s="$3" -v n="$4" '$1 == c && $2 == d && $3 == s { print $n }' "$work/figures" |
        sort -g | awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'
}
printf '%-4s %8s %-15s %12s %9s %9s %9s %10s %9s\n' \
    '' pipeline server requests/s 'to redis' 'p50 ms' 'p99 ms' 'cpu us' 'to redis'
for depth in $depths; do
    for command in set get; do
        base=()
        for server in redis "${names[@]}"; do
            row=()
            for column in 4 5 6 7; do row+=("$(median "$command" "$depth" "$server" "$column")"); done
            if [ "$server" = redis ]; then base=("${row[@]}"); fi
            awk -v c="$command" -v d="$depth" -v s="$server" -v row="${row[*]} ${base[*]}" 'BEGIN {
                split(row, r, " ")
                printf "%-4s %8s %-15s %12.0f %9.2f %9.3f %9.3f %10.3f %9.2f\n", c, d, s, r[1], r[1] / r[5], \
                    r[2], r[3], r[4], (r[8] > 0 ? r[4] / r[8] : 0)
            }'
        done
    done
done
