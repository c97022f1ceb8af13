"""A piece of work that is done, repeated and reported by itself."""
import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Outcome:
    cases: int = 0  # how many things were compared and found right
    failures: tuple = ()  # lines for a person; none: it passed

    @property
    def passed(self):
        return not self.failures


@dataclasses.dataclass(frozen=True)
class Shard:
    part: str
    name: str
    run: typing.Callable  # -> Outcome; whatever it raises is a failure too


def pieces(items, size):
    """`items` in lists of at most `size`, as even as can be."""
    count = -(-len(items) // size)
    return [items[number * len(items) // count:(number + 1) * len(items) // count] for number in range(count)]


def spread(items, count):
    """At most `count` of `items`, from all over the list."""
    if len(items) <= count:
        return list(items)
    return [items[number * len(items) // count] for number in range(count)]
