"""A libcublas.so.12 that passes every call on to a libcublas.so.13, for machines that have only that.

Arguments stay where they are: each function is a jump. That works as long as the functions used mean the same in both
versions, which those of ggml's CUDA backend do.
"""
import subprocess

NAME = "libcublas.so.12"
REAL = "libcublas.so.13"

SOURCE = """\
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
{slots}
{jumps}
static const struct {{ const char* name; void** slot; }} functions[] = {{
{table}
}};
__attribute__((constructor)) static void find(void) {{
    void* library = dlopen("{real}", RTLD_NOW);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; ++i) {{
        *functions[i].slot = library ? dlsym(library, functions[i].name) : NULL;
        if (*functions[i].slot == NULL) {{
            fprintf(stderr, "{name}: %s has no %s\\n", "{real}", functions[i].name);
            exit(EXIT_FAILURE);
        }}
    }}
}}
"""
SLOT = 'void* slot_{name} __attribute__((visibility("hidden")));'
JUMP = '__asm__(".globl {name}\\n.type {name}, @function\\n{name}: jmp *slot_{name}(%rip)\\n");'


def source(functions):
    return SOURCE.format(name=NAME, real=REAL, slots="\n".join(SLOT.format(name=name) for name in functions),
                         jumps="\n".join(JUMP.format(name=name) for name in functions),
                         table="\n".join(f'    {{"{name}", &slot_{name}}},' for name in functions))


def build(functions, folder):
    """Compiles the library into `folder`; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = folder / "versions"
    versions.write_text(f"{NAME} {{ global: {' '.join(f'{name};' for name in functions)} local: *; }};\n",
                        encoding="ascii")
    code, library = folder / "forward.c", folder / NAME
    code.write_text(source(functions), encoding="ascii")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, code, f"-Wl,-soname,{NAME}",
                    f"-Wl,--version-script={versions}", "-ldl"], check=True)
    return library
