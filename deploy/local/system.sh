# shellcheck shell=bash
# What up, down and demo have in common: a whole local system in one data folder. Sourced after lib.sh.

data_dir=$build_dir/run
broker_port=${LOCAL_BROKER_PORT:-9092}
registry_port=${LOCAL_REGISTRY_PORT:-8081}
first_metrics_port=9101
marker=.kontor-local   # a folder with this file in it is ours to empty

processors() { sed 's/#.*//' "$local_dir/processors" | awk 'NF {print $1}'; }

kontor() { "$build_dir/bin/kontor" "$@"; }

set_up() {
  say "installing what is missing"
  "$local_dir/install"
  say "building"
  "$local_dir/build"
}

# Stops what runs in the data folder: processors first, since they still need the others to finish what they are at.
stop_system() {
  local file name services=()
  for file in "$data_dir"/*.pid; do
    [ -f "$file" ] || continue
    name=$(basename "$file" .pid)
    case $name in broker | registry) ;; *) services+=("$name") ;; esac
  done
  stop_services "$data_dir" "${services[@]}"
  stop_services "$data_dir" registry broker
}

prepare_data_dir() {  # KEEP: yes or no
  if [ -d "$data_dir" ]; then
    [ -f "$data_dir/$marker" ] || [ -z "$(ls -A "$data_dir")" ] || die "$data_dir holds something that is not a local kontor system: choose another --data folder"
    stop_system
    [ "$1" = yes ] || find "$data_dir" -mindepth 1 -delete
  fi
  mkdir -p "$data_dir"
  data_dir=$(realpath "$data_dir")
  touch "$data_dir/$marker"
}

# A set-up that fails half-way leaves what it started, for a look.
trap '[ $? = 0 ] || [ ! -f "$data_dir/$marker" ] || echo "What was started still runs; deploy/local/down stops it." >&2' EXIT

start_broker_and_registry() {
  say "starting the broker on 127.0.0.1:$broker_port and the schema registry on 127.0.0.1:$registry_port"
  launch_service broker "$data_dir" "$broker_port"
  launch_service registry "$data_dir" "$registry_port"
  await_service broker "$data_dir" "$broker_port" 60
  await_service registry "$data_dir" "$registry_port" 60
  export KONTOR_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$broker_port
  export KONTOR_REGISTRY_URL=http://127.0.0.1:$registry_port/apis/ccompat/v7
  cat >"$data_dir/environment" <<END
export KONTOR_KAFKA_BOOTSTRAP_SERVERS=$KONTOR_KAFKA_BOOTSTRAP_SERVERS
export KONTOR_REGISTRY_URL=$KONTOR_REGISTRY_URL
END
}

declare_topics_and_schemas() {
  say "declaring topics and schemas"
  kontor topics apply
  kontor schemas register
}

declare -A metrics_port   # processor -> port

start_processors() {
  local name port=$first_metrics_port
  for name in $(processors); do
    while port_taken "$port"; do port=$((port + 1)); done
    metrics_port[$name]=$port
    write_processor_properties "$name" "$port" >"$data_dir/$name.properties"
    launch_service "$name" "$data_dir" "$port"
    port=$((port + 1))
  done
  say "starting ${!metrics_port[*]}"
  for name in $(processors); do
    await_service "$name" "$data_dir" "${metrics_port[$name]}" 60
  done
}

# Synthetic events, followed to their acknowledgment (docs/probe.md).
start_probe() {  # FILE
  local port=$((first_metrics_port + $(processors | wc -l)))
  while port_taken "$port"; do port=$((port + 1)); done
  metrics_port[kontor-probe]=$port
  cp "$1" "$data_dir/probe.json"
  write_processor_properties kontor-probe "$port" >"$data_dir/kontor-probe.properties"
  say "starting kontor-probe"
  launch_service kontor-probe "$data_dir" "$port"
  await_service kontor-probe "$data_dir" "$port" 60
}

# Those that take nothing yet because master data is missing, and what.
show_unready() {
  local name reasons
  for name in $(processors); do
    reasons=$(unready_reasons "${metrics_port[$name]}")
    [ -z "$reasons" ] || echo "${name#kontor-} waits for $reasons"
  done
}

write_processor_properties() {  # NAME PORT
  cat <<END
instance.name=${1#kontor-}-0
state.dir=$data_dir/$1
kafka.bootstrap.servers=$KONTOR_KAFKA_BOOTSTRAP_SERVERS
registry.url=$KONTOR_REGISTRY_URL
# The system that master data may come from; the sample's. Another one: LOCAL_TABLES_SOURCE=NAME.
tables.source=${LOCAL_TABLES_SOURCE:-SAP-P2P}
metrics.listen=127.0.0.1:$2
log.format=human
END
}

show_where() {
  local name
  echo
  echo "Kafka broker     $KONTOR_KAFKA_BOOTSTRAP_SERVERS"
  echo "schema registry  $KONTOR_REGISTRY_URL"
  for name in $(processors) ${metrics_port[kontor-probe]:+kontor-probe}; do printf '%-16s http://127.0.0.1:%s/metrics\n' "${name#kontor-}" "${metrics_port[$name]}"; done
  echo "logs and data    $data_dir"
}

show_environment() {   # only when the defaults do not reach this system
  [ "$broker_port $registry_port" = "9092 8081" ] || echo "First:  . $data_dir/environment"
}
