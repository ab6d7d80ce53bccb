"""C99: functions that it lacks become static functions; with -ffp-contract=off, compiling changes no bits.

Not here: what is written (`writing`). Read next: `compile.languages.java`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograd_mini.compile.languages.language import (
    WRITTEN,
    Language,
    Outline,
    comparisons,
    indented,
    joined,
)

# What C, Java and JavaScript share.
OPERATORS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}", "where": "{} ? {} : {}",
    "<": "{} < {}", "<=": "{} <= {}", ">": "{} > {}", ">=": "{} >= {}", "==": "{} == {}", "!=": "{} != {}",
    "&": "{} && {}", "|": "{} || {}", "~": "!{}",
    **dict.fromkeys(["pos", "sum", "dot", "stop_gradient", "defined", "one_power_less"], WRITTEN),
}  # fmt: skip


def loops(integer: str) -> tuple[str, str, str]:
    return (
        f"for ({integer}{{i}} = 0; {{i}} < {{n}}; {{i}}++)",
        f"for ({integer}{{i}} = 1; {{i}} < {{n}}; {{i}}++)",
        f"for ({integer}{{i}} = {{last}}; {{i}} >= 0; {{i}}--)",
    )


def _file(outline: Outline) -> str:
    given = [
        f"double {p.name}" if p.length is None else f"const double {p.name}[{p.length}]" for p in outline.parameters
    ]
    filled = [f"double *{p.name}" if p.length is None else f"double {p.name}[{p.length}]" for p in outline.derivatives]
    text = re.sub("//.*", "", "\n".join([*outline.lines, outline.value or ""]))
    unused = [f"(void) {p.name};" for p in outline.parameters if not re.search(rf"\b{re.escape(p.name)}\b", text)]
    body = [*unused, *outline.lines, *([f"return {outline.value};"] if outline.value else [])]
    head = f"{'double' if outline.value else 'void'} {outline.name}({', '.join(given + filled)})"
    headers = ["math.h", *(["stdio.h", "stdlib.h"] if "snprintf" in "".join(outline.helpers) else [])]
    function = "\n".join([f"/* {outline.about} The arrays must not overlap. */", *C.block(head, body)])
    return joined("\n".join(f"#include <{header}>" for header in headers), *outline.helpers, function)


def _test(outline: Outline, inputs: Sequence[object], results: Sequence[object], file: str) -> str:
    given = [f"{p.name}{'[]' * (p.length is not None)}" for p in outline.parameters]
    numbers = [f"{{{C.literals(x)}}}" if isinstance(x, list) else C.literals(x) for x in inputs]
    call = f"{outline.name}({', '.join([*[p.name for p in outline.parameters], *outline.returned])});"
    compared = comparisons(outline, "test_value", "{}", "test_failures += test_differ({}, test_{});", False)
    body = [
        *[f"const double {name} = {text};" for name, text in zip(given, numbers, strict=True)],
        *[f"double {p.name}[{p.length or 1}];" for p in outline.derivatives],
        f"const double test_expected[] = {{{C.literals(results)}}};",
        "int test_failures = 0;",
        f"double test_value = {call}" if outline.value else call,
        *compared,
        'puts(test_failures ? "wrong" : "ok");',
        "return test_failures;",
    ]
    return f'''/* Compare {outline.name} with the results of autograd_mini. */
#include <math.h>
#include <stdio.h>
#include "{file}"

static int test_differ(double got, double number) {{
    if (got == number || (got != got && number != number) || fabs(got - number) <= 1e-12 * fabs(number)) return 0;
    printf("expected %.17g, got %.17g\\n", number, got);
    return 1;
}}

int main(void) {{
{indented(body)}
}}
'''


# What headers declare, also under GNU C and POSIX; functions of numbers have versions for float and long double.
_MATH = """
acos acosh asin asinh atan atan2 atanh cabs cacos cacosh carg casin casinh catan catanh cbrt ccos ccosh ceil cexp
cimag clog conj copysign cos cosh cpow cproj creal csin csinh csqrt ctan ctanh drem erf erfc exp exp10 exp2 expm1 fabs
fdim finite floor fma fmax fmin fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn ldexp lgamma llrint llround log
log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow pow10 remainder remquo rint round scalb
scalbln scalbn significand sin sincos sinh sqrt tan tanh tgamma trunc y0 y1 yn
"""
_OTHERS = """
FILE abort abs alloca atexit atof atoi atol atoll bcmp bcopy bsearch bzero calloc clearerr dev_t div div_t dprintf
ecvt execl execv exit fclose fcvt fdopen feof ferror fflush ffs fgetc fgetpos fgets fileno fopen fork fpclassify
fprintf fputc fputs fread free freopen fscanf fseek fsetpos ftell fwrite gcvt getc getchar getenv getline gets getw
gid_t id_t index initstate ino_t int16_t int32_t int64_t int8_t isalnum isalpha isblank iscntrl isdigit isfinite
isgraph isgreater isless islower isnormal isprint ispunct isspace isunordered isupper isxdigit key_t labs ldiv llabs
lldiv loff_t malloc mblen mbstowcs mbtowc memchr memcmp memcpy memmove mempcpy memset mktemp mode_t nlink_t off_t
pclose perror pid_t popen printf pselect putc putchar putenv puts putw qsort quad_t rand random realloc realpath
remove rename rewind rindex scanf select setbuf setenv setstate setvbuf signbit signgam size_t snprintf sprintf srand
srandom sscanf ssize_t stderr stdin stdout stpcpy strcat strchr strcmp strcpy strcspn strdup strlen strncat strncmp
strncpy strpbrk strrchr strspn strstr strtod strtof strtol strtold strtoll strtoul strtoull system tempnam time_t
tmpfile tmpnam toascii tolower toupper u_char u_int u_long u_short uid_t uint ulong ungetc unsetenv ushort valloc
vfprintf vprintf vscanf vsnprintf vsprintf vsscanf wchar_t wcstombs wctomb
"""

C = Language(
    name="c",
    suffix=".c",
    operations={
        **OPERATORS,
        **{name: name for name in (
            "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "erf", "erfc", "exp",
            "exp2", "expm1", "floor", "fmod", "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
        )},
        "abs": "fabs", "pow": "power", "pow finite": "pow", "round": "round_decimal",
    },
    own={
        "power": """
static double power(double x, double p) {
    return p == 2.0 ? x * x : pow(x, p);
}""",
        "round_decimal": """
static double round_decimal(double x, double digits) {
    char text[512];
    snprintf(text, sizeof text, "%.*f", (int) digits, x);
    return strtod(text, NULL);
}""",
    },
    infinity="INFINITY",
    nan="NAN",
    number="const double ",
    variable="double ",
    condition="const int ",
    integer="int ",
    kinds=("double", "int"),
    arrays=("{kind} ", "{name}[{count}]"),
    filled="const double {name}[] = {{{numbers}}}",
    given="(const double[]) {{{}}}",
    real="(double) {}",
    loops=loops("int "),
    helper="static double {name}({parameters})",
    parameter="double ",
    file=_file,
    test=_test,
    is_filling=True,
    reserved=frozenset([
        "INFINITY", "NAN", "NULL", "abs", "auto", "break", "case", "ceil", "char", "const", "continue",
        "cos", "default", "div", "do", "double", "else", "enum", "erf", "erfc", "exit", "exp", "extern",
        "fabs", "float", "floor", "fmod", "for", "free", "gamma", "goto", "hypot", "if", "index",
        "inline", "int", "j0", "j1", "jn", "log", "long", "main", "pow", "random", "register",
        "remainder", "restrict", "return", "round", "short", "signal", "signed", "sin", "sizeof",
        "sqrt", "static", "struct", "switch", "tan", "test_differ", "test_expected", "test_failures", "test_value",
        "time", "typedef", "union", "unsigned", "void", "volatile", "while", "y0", "y1", "yn",
        "puts", "alignas", "alignof", "asm", "bool", "constexpr", "false", "linux", "nullptr", "static_assert",
        "thread_local", "true", "typeof", "typeof_unqual", "unix",  # of later standards and of GNU C
        "BIG_ENDIAN", "BUFSIZ", "BYTE_ORDER", "EOF", "EXIT_FAILURE", "EXIT_SUCCESS", "FILENAME_MAX", "FOPEN_MAX",
        "FP_INFINITE", "FP_NAN", "FP_NORMAL", "FP_SUBNORMAL", "FP_ZERO", "HUGE_VAL", "HUGE_VALF", "HUGE_VALL",
        "LITTLE_ENDIAN", "MB_CUR_MAX", "M_1_PI", "M_2_PI", "M_2_SQRTPI", "M_E", "M_LN10", "M_LN2", "M_LOG10E",
        "M_LOG2E", "M_PI", "M_PI_2", "M_PI_4", "M_SQRT1_2", "M_SQRT2", "RAND_MAX", "SEEK_CUR", "SEEK_END", "SEEK_SET",
        "TMP_MAX",
    ]),
    provided=frozenset([*_OTHERS.split(), *[name + suffix for name in _MATH.split() for suffix in ("", "f", "l")]]),
)  # fmt: skip
