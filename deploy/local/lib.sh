# shellcheck shell=bash
# Shared by install, build, service, up, down, demo and tests/run: sourced, not run.
# A running system lives in one folder, the data folder: for each service NAME (broker, registry, kontor-...) its
# NAME.properties, NAME.log (and NAME.log.previous), NAME.pid, and NAME/ for what it stores.
# Everything listens on 127.0.0.1 only.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
local_dir=$repository/deploy/local
java_dir=$local_dir/java
build_dir=$repository/build
export LOCAL_STARTED_AT=${LOCAL_STARTED_AT:-$EPOCHSECONDS}   # shared with the scripts called, so that all count from one start

say() { printf '[%3d s] %s\n' $((EPOCHSECONDS - LOCAL_STARTED_AT)) "$*" >&2; }
die() { printf '%s: %s.\n' "$(basename "$0")" "$*" >&2; exit 1; }
usage_error() { printf 'usage: %s\n' "$*" >&2; exit 2; }

# Where install puts the jars: outside the source tree, so that a second clone finds them; another version is another folder.
java_programs() {
  printf '%s/kontor/java-%s\n' "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}" \
    "$(cat "$java_dir/pom.xml" "$java_dir/SHA256SUMS" 2>/dev/null | sha256sum | cut -c1-16)"
}

# KAFKA_JARS=FOLDER: another version of Kafka, as `deploy/local/install kafka VERSION` puts it into kafka_version_jars.
kafka_jars() { printf '%s\n' "${KAFKA_JARS:-$(java_programs)/kafka}"; }
kafka_version_jars() { printf '%s/kafka-%s\n' "$(dirname "$(java_programs)")" "$1"; }  # VERSION

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the ports that the kernel gives to outgoing connections: there, a client that retries a stopped service can
# connect to itself and keep the service from starting again.
free_port() {
  local port
  for ((;;)); do
    port=$((15000 + RANDOM % 15000))
    port_taken $port || { echo $port; return; }
  done
}

# wait_until SECONDS COMMAND...: polls until COMMAND succeeds; false when it has not within SECONDS.
wait_until() {
  local deadline=$((EPOCHSECONDS + $1))
  shift
  until "$@"; do
    ((EPOCHSECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# ---- processes, by id; the start time beside it in the pid file tells a reused id apart

process_started_at() {  # PID: prints the kernel's start time; false when there is no such process or it is a zombie
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -ra fields <<<"${stat##*) }"
  [ "${fields[0]}" != Z ] && echo "${fields[19]}"
}

write_pid() { echo "$$ $(process_started_at $$)" >"$1"; }   # PIDFILE

running_pid() {  # PIDFILE: prints the id of the process that wrote it, when it still runs
  local pid started_at
  [ -f "$1" ] && read -r pid started_at <"$1" && [ "$(process_started_at "$pid")" = "$started_at" ] && echo "$pid"
}

not_running() { ! running_pid "$1" >/dev/null; }

signal_service() {  # SIGNAL NAME DATA
  local pid
  if pid=$(running_pid "$3/$2.pid"); then kill "-$1" "$pid" 2>/dev/null || true; fi
}

stop_services() {  # DATA NAME...: SIGTERM to all, SIGKILL to what is still there after 20 seconds
  local data=$1 name
  shift
  for name in "$@"; do signal_service TERM "$name" "$data"; done
  for name in "$@"; do
    wait_until 20 not_running "$data/$name.pid" || {
      say "$name did not stop within 20 s: killed"
      kill_service "$name" "$data"
    }
    rm -f "$data/$name.pid"
  done
}

kill_service() {  # NAME DATA
  signal_service KILL "$1" "$2"
  wait_until 20 not_running "$2/$1.pid" || die "process $(running_pid "$2/$1.pid") ($1) survives SIGKILL"
  rm -f "$2/$1.pid"
}

# ---- services: run_service replaces the caller by the service; start_service runs it beside and waits until it is ready

run_service() {  # NAME DATA PORT
  local name=$1 data=$2 port=$3
  mkdir -p "$data/$name"
  case $name in
    broker) format_broker "$data" "$port" ;;
    controller) format_controller "$data" "$port" ;;
    registry | kontor-probe) ;;
    *) [ -x "$build_dir/bin/$name" ] || die "$build_dir/bin/$name is not built" ;;
  esac
  write_pid "$data/$name.pid"
  case $name in
    broker) exec java "-Xms${BROKER_HEAP:-768m}" "-Xmx${BROKER_HEAP:-768m}" -XX:TieredStopAtLevel="${BROKER_COMPILER:-4}" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
      -Dlog4j2.configurationFile="$java_dir/log4j2.yaml" -cp "$(kafka_jars)/*" kafka.Kafka "$data/broker.properties" ;;
    controller) exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
      -Dlog4j2.configurationFile="$java_dir/log4j2.yaml" -cp "$(kafka_jars)/*" kafka.Kafka "$data/controller.properties" ;;
    # WRITE_DELAY=0: without it H2 loses its last half second when killed, and gives the ids anew to other schemas.
    registry) REGISTRY_DATASOURCE_URL="jdbc:h2:file:$(realpath "$data")/registry/registry;WRITE_DELAY=0" \
      exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
      -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" -jar "$(java_programs)"/registry/*-runner.jar ;;
    kontor-probe) exec "$build_dir/bin/kontor" probe --config "$data/$name.properties" "$data/probe.json" ;;
    *) exec "$build_dir/bin/$name" --config "$data/$name.properties" ;;
  esac
}

format_broker() {  # DATA PORT
  write_broker_properties "$1" "$2" >"$1/broker.properties"
  format_storage "$1" broker
}

format_controller() {  # DATA PORT
  cat >"$1/controller.properties" <<END
process.roles=controller
node.id=2
controller.quorum.voters=2@127.0.0.1:$2
controller.listener.names=CONTROLLER
listeners=CONTROLLER://127.0.0.1:$2
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$(realpath "$1")/controller
END
  add_extra_properties "$1" controller >>"$1/controller.properties"
  format_storage "$1" controller
}

format_storage() {  # DATA NAME
  [ -f "$1/$2/meta.properties" ] || java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(kafka_jars)/*" \
    -Dlog4j2.configurationFile="$java_dir/log4j2.yaml" kafka.tools.StorageTool format --cluster-id kontor-local-cluster-w \
    --config "$1/$2.properties"
}

add_extra_properties() { [ ! -f "$1/$2.extra.properties" ] || cat "$1/$2.extra.properties"; }  # DATA NAME

# One node that is broker and controller; with BROKER_CONTROLLER_PORT a broker of the controller there (the tests that kill the broker use it, and
# DATA/broker.extra.properties). Topics are declared in deploy/topics.*, never made by writing to them.
write_broker_properties() {  # DATA PORT
  local roles=broker,controller controller own=""
  if [ -n "${BROKER_CONTROLLER_PORT:-}" ]; then
    roles=broker controller=2@127.0.0.1:$BROKER_CONTROLLER_PORT
  else
    controller=1@127.0.0.1:$(free_port)
    own=,CONTROLLER://${controller#*@}
  fi
  cat <<END
process.roles=$roles
node.id=1
controller.quorum.voters=$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$2$own
advertised.listeners=PLAINTEXT://127.0.0.1:$2
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$(realpath "$1")/broker
auto.create.topics.enable=false
# A group waits for nobody: one instance starts at once.
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# How often timed-out transactions are looked for: by default a dead producer blocks readers up to 10 s longer than its time-out.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.cleaner.dedupe.buffer.size=33554432
END
  add_extra_properties "$1" broker
}

service_ready() {  # NAME DATA PORT
  case $1 in
    broker | controller) grep -qs 'Kafka Server started' "$2/$1.log" && port_taken "$3" ;;
    registry) curl -fsS -m 5 -o /dev/null "http://127.0.0.1:$3/apis/ccompat/v7/subjects" 2>/dev/null ;;
    # One that lacks nothing but master data has started: that is loaded into the running system.
    *) [ -z "$(unready_reasons "$3" | grep -v '^master data: ')" ] ;;
  esac
}

unready_reasons() {  # PORT: what /readyz of a processor says, a reason a line; nothing when it is ready
  local answer
  answer=$(curl -sS -m 5 -w '%{http_code}' "http://127.0.0.1:$1/readyz" 2>/dev/null) || { echo "no answer on port $1"; return; }
  [ "${answer: -3}" = 200 ] || echo "${answer%???}"
}

launch_service() {  # NAME DATA PORT: in a session of its own, so that it outlives the caller and its terminal
  mkdir -p "$2"
  not_running "$2/$1.pid" || die "$1 already runs in $2 (process $(running_pid "$2/$1.pid"))"
  ! port_taken "$3" || die "port $3 of 127.0.0.1, which $1 needs, is taken by another program: stop that, or choose another port (up and demo: --port N for the broker, --registry-port N)"
  rm -f "$2/$1.pid"
  [ ! -f "$2/$1.log" ] || mv "$2/$1.log" "$2/$1.log.previous"
  setsid "$local_dir/service" run "$1" "$2" "$3" >"$2/$1.log" 2>&1 </dev/null &
  launched[$1]=$!
}

declare -A launched   # service -> the process that launch_service started

ready_or_dead() { service_ready "$@" || ! process_started_at "${launched[$1]}" >/dev/null; }

await_service() {  # NAME DATA PORT SECONDS
  wait_until "$4" ready_or_dead "$1" "$2" "$3" || service_failed "$1" "$2" "is not ready after $4 s"
  process_started_at "${launched[$1]}" >/dev/null || service_failed "$1" "$2" "stopped while starting"
}

service_failed() {  # NAME DATA WHY
  { echo "---- the end of $2/$1.log:"; tail -n 25 "$2/$1.log"; echo "----"; } >&2
  die "$1 $3; its log is $2/$1.log"
}
