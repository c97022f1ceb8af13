"""The types of the definition, and how each looks in C++ and on the wire."""
import re
from dataclasses import dataclass


class DefinitionError(Exception):
    """The definition file says something that cannot be generated."""


# Upstream's encodings: four bytes of which the first counts.
LOOSE = {"loose_bool": "bool", "loose_u8": "uint8_t"}
SCALARS = {"u32": ("uint32_t", 4), "i32": ("int32_t", 4), "u64": ("uint64_t", 8),
           "i64": ("int64_t", 8), "f32": ("float", 4), "bool": ("bool", 4)}


@dataclass
class Type:
    text: str            # as the definition writes it
    cpp: str             # C++ type
    kind: str            # number, bool, loose, enum, struct, string, text, array, fixed, optional, leading
    size: int | None     # bytes on the wire; None: varies
    smallest: int        # fewest bytes on the wire
    limit: str = ""      # of strings and arrays
    element: "Type | None" = None
    count: int = 0       # of fixed arrays
    present: str = ""    # the field that says whether an optional or a leading one is there

    @property
    def default(self) -> str:
        return "{}" if self.kind in ("number", "bool", "loose", "enum", "fixed") else ""


def parse(text: str, enums: dict, structs: dict) -> Type:
    if text in SCALARS:
        cpp, size = SCALARS[text]
        return Type(text, cpp, "bool" if text == "bool" else "number", size, size)
    if text in LOOSE:
        return Type(text, LOOSE[text], "loose", 4, 4)
    if text in enums:
        return Type(text, text, "enum", 4, 4)
    if text in structs:
        struct = structs[text]
        return Type(text, text, "struct", struct.size, struct.smallest)
    if match := re.fullmatch(r"string<(\w+)>", text):
        return Type(text, "std::string", "string", None, 4, limit=match[1])
    if match := re.fullmatch(r"text<(\w+)>", text):
        return Type(text, "std::string", "text", None, 12, limit=match[1])
    if match := re.fullmatch(r"(optional|leading)<(\w+), *([\w.]+)>", text):
        element = parse(match[2], enums, structs)
        container = {"optional": "std::optional", "leading": "std::vector"}[match[1]]
        return Type(text, f"{container}<{element.cpp}>", match[1], None, 0, element=element, present=match[3])
    if match := re.fullmatch(r"array<(.+), *(\w+)>", text):
        element = parse(match[1], enums, structs)
        return Type(text, f"std::vector<{element.cpp}>", "array", None, 4, match[2], element)
    if match := re.fullmatch(r"(.+)\[(\d+)\]", text):
        element, count = parse(match[1], enums, structs), int(match[2])
        if element.size is None:
            raise DefinitionError(f"{text}: elements of an exact array must have one size")
        return Type(text, f"std::array<{element.cpp}, {count}>", "fixed", element.size * count,
                    element.size * count, element=element, count=count)
    raise DefinitionError(f"unknown type '{text}'")
