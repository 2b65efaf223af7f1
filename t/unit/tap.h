/* TAP for unit tests in C: ok() and friends while it runs, done_testing() at
 * the end as main's return value. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed, tap_skipped;

/* Print TEXT as a comment, each of its lines. */
__attribute__((unused)) static void diag_text(const char *label,
                                              const char *text)
{
    fprintf(stderr, "#   %s: ", label);
    for (; text && *text; text++)
        fputs(*text == '\n' ? "\n#     " : (char[2]){*text, 0}, stderr);
    fputs(text ? "\n" : "(null)\n", stderr);
}

/* Report one result, under the name made from FORMAT; return PASSED. */
__attribute__((unused, format(printf, 2, 0))) static int
ok_va(int passed, const char *format, va_list args)
{
    tap_failed += !passed;
    printf("%sok %d - ", passed ? "" : "not ", ++tap_run);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    return passed;
}

__attribute__((unused, format(printf, 2, 3))) static int
ok(int passed, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    ok_va(!!passed, format, args);
    va_end(args);
    return !!passed;
}

/* Expect the number WANT. */
__attribute__((unused, format(printf, 3, 4))) static int
is_int(long long got, long long want, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    ok_va(got == want, format, args);
    va_end(args);
    if (got != want)
        fprintf(stderr, "#   got: %lld\n#   want: %lld\n", got, want);
    return got == want;
}

/* Expect the text WANT; NULL equals NULL only. */
__attribute__((unused, format(printf, 3, 4))) static int
is_str(const char *got, const char *want, const char *format, ...)
{
    int same = got && want ? !strcmp(got, want) : got == want;
    va_list args;

    va_start(args, format);
    ok_va(same, format, args);
    va_end(args);
    if (!same) {
        diag_text("got", got);
        diag_text("want", want);
    }
    return same;
}

/* Skip the whole test, with the reason: before anything ran; return 0. */
__attribute__((unused, format(printf, 1, 2))) static int
skip_all(const char *format, ...)
{
    va_list args;

    tap_skipped = 1;
    va_start(args, format);
    printf("1..0 # SKIP ");
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    return 0;
}

/* End the test: main's return value. */
__attribute__((unused)) static int done_testing(void)
{
    if (tap_skipped)
        return 0;
    printf("1..%d%s\n", tap_run, tap_run ? "" : " # SKIP nothing ran");
    if (tap_failed)
        fprintf(stderr, "# %d of %d failed\n", tap_failed, tap_run);
    return !!tap_failed;
}

#endif
