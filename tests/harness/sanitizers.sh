# For suites that run sanitized programs: sourced, from the repository's root, after deploy/local/lib.sh.
#
#   sanitizers address,undefined | thread   builds them, and has everything started from now on run with them: BINARIES for the end-to-end tests, reports into a folder
#   sanitizers_told NAME                    one line: `ok NAME`, or `not ok` with what was reported since
#
# What a program reports, and that it ended itself for it, would be one line in the log of one process of many: so reports are files, and any is a failure.

sanitizers() {  # KIND
  sanitize_folder=$build_dir/asan
  [ "$1" != thread ] || sanitize_folder=$build_dir/tsan
  reports=$build_dir/tests/sanitize/$1
  deploy/local/build "$sanitize_folder" -DKONTOR_SANITIZE="$1"
  rm -rf "$reports"
  mkdir -p "$reports"
  export BINARIES=$sanitize_folder/bin
  export ASAN_OPTIONS=print_legend=0:detect_stack_use_after_return=1:log_path=$reports/report
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=$reports/report
  export TSAN_OPTIONS=exitcode=66:log_path=$reports/report:suppressions=$PWD/tests/harness/tsan.supp
}

sanitizers_told() {  # NAME
  local report
  if ! compgen -G "$reports/report.*" >/dev/null; then echo "ok $1"; return; fi
  for report in "$reports"/report.*; do sed 's/^/  /' "$report"; done
  echo "not ok $1: $(find "$reports" -name 'report.*' | wc -l) processes reported something, see $reports"
}
