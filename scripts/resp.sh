#!/usr/bin/env bash
# The RESP example beside the real thing: first redis-cli talks to it, then redis-benchmark loads it and redis-server in
# turns, with the same requests, each pinned to the first core and the client to the second.
#
# scripts/resp.sh [--quick]: smaller counts, to see that it works. Needs redis-server, redis-cli and redis-benchmark.
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
count=2000000 single=200000 rounds=3
if [ "${1:-}" = --quick ]; then count=100000 single=10000 rounds=1; fi

cargo build --locked --release --example resp
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

"${CARGO_TARGET_DIR:-target}/release/examples/resp" --port 0 --cores 0 >"$work/ours" 2>&1 &
servers+=($!)
ours=$(await_line "$work/ours" 'listening at' "${servers[0]}" | sed 's/.*:\([0-9]*\) with.*/\1/')
# It cannot be told to take any port that is free: with one that is not, it ends, and the next is tried.
for theirs in $(seq 16379 16479); do
    # shellcheck disable=SC2046 # the words are to be split
    $(pin 0) redis-server --port "$theirs" --bind 127.0.0.1 --save '' --appendonly no --daemonize no >"$work/theirs" 2>&1 &
    servers[1]=$!
    if await_line "$work/theirs" 'Ready to accept' "${servers[1]}" >/dev/null 2>&1; then break; fi
    kill "${servers[1]}" 2>/dev/null || true
done
kill -0 "${servers[1]}" || { cat "$work/theirs"; exit 1; }

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
check "$ours" >"$work/answers"
diff "$work/expected" "$work/answers" || { printf 'resp: FAILED: other answers than those of redis-server\n'; exit 1; }
printf 'resp: %s answers are those of redis-server\n' "$(wc -l <"$work/answers")"

# --- load ---

ticks=$(getconf CLK_TCK)
used() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# name, port, process, command, pipeline: a line of throughput, p50 and p99 in milliseconds, microseconds of processor a request
load() {
    local name=$1 port=$2 process=$3 command=$4 depth=$5 n before after line
    n=$([ "$depth" = 1 ] && echo "$single" || echo "$count")
    before=$(used "$process")
    # shellcheck disable=SC2046
    line=$($(pin 1) redis-benchmark -p "$port" -t "$command" -n "$n" -c 50 -P "$depth" -q --csv 2>/dev/null | tail -1 | tr -d '"')
    after=$(used "$process")
    awk -F, -v name="$name" -v t="$command $depth" -v us="$(awk "BEGIN { print ($after - $before) / $ticks * 1e6 / $n }")" \
        '{ print t, name, $2, $5, $7, us }' <<<"$line" >>"$work/figures"
}
for depth in 1 16 128; do
    for command in set get; do
        for _ in $(seq "$rounds"); do
            load redis "$theirs" "${servers[1]}" "$command" "$depth"
            load corelane "$ours" "${servers[0]}" "$command" "$depth"
        done
    done
done
# The median of a column for a command, a depth and a server.
median() {
    awk -v c="$1" -v d="$2" -v s="$3" -v n="$4" '$1 == c && $2 == d && $3 == s { print $n }' "$work/figures" |
        sort -g | awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'
}
printf '%-5s %8s %12s %12s %6s %10s %10s %10s %10s %6s\n' \
    '' pipeline redis/s corelane/s ratio 'p99 ms' 'p99 ms' 'cpu us' 'cpu us' ratio
for depth in 1 16 128; do
    for command in set get; do
        row=()
        for column in 4 6 7; do
            for server in redis corelane; do
                row+=("$(median "$command" "$depth" "$server" "$column")")
            done
        done
        awk -v c="$command" -v d="$depth" -v row="${row[*]}" 'BEGIN {
            split(row, r, " ")
            printf "%-5s %8s %12.0f %12.0f %6.2f %10.3f %10.3f %10.3f %10.3f %6.2f\n", c, d, r[1], r[2], r[2] / r[1], \
                r[3], r[4], r[5], r[6], (r[5] > 0 ? r[6] / r[5] : 0)
        }'
    done
done
