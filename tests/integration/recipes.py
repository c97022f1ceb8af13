"""Shell commands that the documentation shows: what is tested is what people copy."""
from harness import places


def recipe(page, program):
    """The block of docs/`page` that starts `program`."""
    blocks = (places.REPOSITORY / "docs" / page).read_text(encoding="utf-8").split("```")
    [found] = [block.removeprefix("sh\n") for block in blocks[1::2] if block.startswith(f"sh\n{program} ")]
    return found
