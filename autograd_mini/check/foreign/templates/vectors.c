/* Inputs and right answers of @TASKS@, written by autograd-mini.
 * Call your own functions in answer(), then run:  cc @FILE@ mine.c -lm -o @STEM@ && ./@STEM@
 * If something is wrong, find out which mistake it is:  ./@STEM@ @TASK@ | autograd-mini check @TASK@ --csv -
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mine.h"

enum { MOST = 256 };
typedef double List[MOST];

/* Call your own functions here, and leave out what you do not have. a[0] is the first argument, n numbers long. */
static int answer(const char *name, List *a, int n, double *out) {
    (void)n;
@CALLS@
    return 0;
}

static const char *const LINES[] = { /* name; arguments; value; derivative; is it a kink, where it is a choice */
@LINES@
};

static int numbers(const char *text, double *list) { /* up to the next ; or | */
    int n = 0;
    while (n < MOST && *text && *text != ';' && *text != '|') {
        char *end;
        list[n++] = strtod(text, &end);
        text = end + (*end == ' ');
    }
    return n;
}

static int arguments(const char *text, List *lists) {
    int count = 0;
    const char *end = strchr(text, ';');
    for (; text && text < end; text = strpbrk(text, "|;"), text += *text == '|') numbers(text, lists[count++]);
    return count;
}

static void print(const char *label, const double *list, int n) {
    printf("%s", label);
    for (int j = 0; j < n; j++) printf(" %.17g", list[j]);
}

int main(int count, char **chosen) {
    int right = 0, lost = 0, wrong = 0;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        const char *given = strchr(LINES[i], ';') + 1, *expected = given;
        char name[100];
        snprintf(name, sizeof name, "%.*s", (int)(given - LINES[i] - 1), LINES[i]);
        if (count > 1 && strcmp(chosen[1], name)) continue;
        List before[3], argument[3], theirs, ours;
        int n = numbers(given, before[0]), lists = arguments(given, before);
        if (count > 1) {
            printf("input");
            for (int k = 0; k < lists; k++) {
                List list;
                const char *at = given;
                for (int skip = 0; skip < k; skip++) at = strchr(at, '|') + 1;
                print("", before[k], numbers(at, list));
            }
        }
        for (int what = 0; what < 2; what++) {
            const char *label = what ? "derivative" : "value";
            expected = strchr(expected, ';') + 1;
            int m = numbers(expected, ours), kink = what && strstr(LINES[i], ";kink");
            arguments(given, argument);
            if (what) strcat(name, "'");
            if (!answer(name, argument, n, theirs)) continue;
            int same = 1, close = 1, changed = memcmp(before[0], argument[0], sizeof(double) * (size_t)n) != 0;
            for (int j = 0; j < m; j++) {
                double error = fabs(theirs[j] - ours[j]);
                int equal = theirs[j] == ours[j] || (isnan(theirs[j]) && isnan(ours[j])) || error <= 1e-9 * fabs(ours[j]) || kink;
                close = close && equal;
                same = same && (equal || error <= 1e-15);
            }
            if (count > 1) {
                printf(" ");
                print(label, theirs, m);
                if (changed) print(" argument", argument[0], n);
            } else if (!same || changed) {
                printf("%.*s: %s", (int)(given - LINES[i] - 1), LINES[i], label);
                print(" at", before[0], n);
                print(" is", theirs, m);
                print(", right is", ours, m);
                printf("%s\n", changed ? "; it changes its argument" : "");
            }
            if (!same || changed) wrong++;
            else if (close) right++;
            else lost++;
        }
        if (count > 1) printf("\n");
    }
    if (count > 1) return 0;
    printf("%d right, %d without their last digits, %d wrong\n", right, lost, wrong);
    return wrong > 0;
}
