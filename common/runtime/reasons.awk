# Makes reasons.h, reasons.c or reasons.md from schemas/reasons.tsv: awk -v want=h|c|md -f reasons.awk reasons.tsv [CASE FILES]
# reasons.md names for each code the case files that reach it.
BEGIN { FS = "\t"; SHOWN = 2 }
function cell(text) { gsub(/\|/, "\\|", text); return text }
function link(path,  name) {
    name = path
    sub(/^tests\/cases\//, "", name)
    sub(/\.case$/, "", name)
    return "[" name "](../" path ")"
}
FILENAME ~ /\.case$/ {
    if ($0 ~ /^#/) next
    for (m = split($0, word, /[^A-Z_]+/); m; m--)
        if (word[m] in known && last[word[m]] != FILENAME) {
            last[word[m]] = FILENAME
            if (++cases[word[m]] <= SHOWN) shown[word[m]] = shown[word[m]] (cases[word[m]] > 1 ? ", " : "") link(FILENAME)
        }
    next
}
/^#/ || !NF { next }
NF != 5 { printf "reasons.tsv:%d: expected 5 columns, found %d\n", NR, NF > "/dev/stderr"; exit 1 }
$2 !~ /^(poison|duplicate|rejected|held|parked|note)$/ { printf "reasons.tsv:%d: unknown class %s\n", NR, $2 > "/dev/stderr"; exit 1 }
$5 !~ /^(yes|-)$/ || ($5 == "yes" && $2 !~ /^(held|parked)$/) { printf "reasons.tsv:%d: what may be approved is held: yes or -\n", NR > "/dev/stderr"; exit 1 }
{ known[$1]; code[++n] = $1; class[n] = $2; text[n] = $3; todo[n] = $4; approvable[n] = $5 == "yes" }
END {
    if (want == "h") {
        print "/* Generated from schemas/reasons.tsv. */\n#ifndef KONTOR_REASONS_H\n#define KONTOR_REASONS_H\n#include <stdbool.h>\n"
        print "/* What a reason makes of an event when nothing weightier is found; the larger weighs more. */"
        print "enum reason_class { CLASS_NOTE, CLASS_PARKED, CLASS_HELD, CLASS_REJECTED, CLASS_DUPLICATE, CLASS_POISON };\n"
        print "enum reason {"
        for (i = 1; i <= n; i++) printf "    REASON_%s, /* %s: %s */\n", code[i], class[i], text[i]
        print "    REASON_COUNT\n};\n"
        print "struct reason_description { const char *code; enum reason_class class; const char *text, *what_to_do; bool approvable; };"
        print "extern const struct reason_description reasons[REASON_COUNT];\n#endif"
    } else if (want == "c") {
        print "/* Generated from schemas/reasons.tsv. */\n#include \"schemas/reasons.h\"\n\nconst struct reason_description reasons[REASON_COUNT] = {"
        for (i = 1; i <= n; i++) printf "    [REASON_%s] = {\"%s\", CLASS_%s, \"%s\", \"%s\", %s},\n", code[i], code[i], toupper(class[i]), text[i], todo[i], approvable[i] ? "true" : "false"
        print "};"
    } else {
        print "# Reason codes\n\nGenerated from `schemas/reasons.tsv`. A policy may move a reason between held, parked and note.\n"
        print "| code | outcome | meaning | what to do | cases |\n|---|---|---|---|---|"
        for (i = 1; i <= n; i++) {
            more = cases[code[i]] - SHOWN
            printf "| %s | %s | %s | %s | %s%s |\n", code[i], class[i], cell(text[i]), cell(todo[i]) (approvable[i] ? "; can be approved" : ""), shown[code[i]], (more > 0 ? " and " more " more" : "")
        }
    }
}
