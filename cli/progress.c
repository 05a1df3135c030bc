#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/table.h"
#include "common/platform/clock.h"

enum { QUIET_MS = 1000, BETWEEN_MS = 100, BAR_WIDTH = 30 };

void progress_start(struct progress *progress, const char *what, int64_t total) {
    *progress = (struct progress){.what = what, .total = total, .started_ms = clock_monotonic_ms(), .terminal = isatty(STDERR_FILENO)};
}

void progress_at(struct progress *progress, int64_t done, int64_t records) {
    if (!progress->terminal) return;
    int64_t now_ms = clock_monotonic_ms(), running_ms = now_ms - progress->started_ms;
    if (running_ms < QUIET_MS || now_ms - progress->shown_ms < BETWEEN_MS) return;
    progress->shown_ms = now_ms;
    progress->visible = true;
    char count[AMOUNT_TEXT_SIZE], rate[AMOUNT_TEXT_SIZE], bar[BAR_WIDTH + 1];
    count_text(records, count);
    count_text(records * 1000 / running_ms, rate);
    if (progress->total <= 0) {
        fprintf(stderr, "\r%s %s records, %s a second\033[K", progress->what, count, rate);
        return;
    }
    int64_t part = done < progress->total ? done : progress->total;
    for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < part * BAR_WIDTH / progress->total ? '#' : '.';
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r%s [%s] %3d %%  %s records, %s a second\033[K", progress->what, bar, (int)(part * 100 / progress->total), count, rate);
}

void progress_end(struct progress *progress) {
    if (progress->visible) fprintf(stderr, "\r\033[K");
    progress->visible = false;
}
