"""The definition as objects that the templates walk through."""
from dataclasses import dataclass, field

from .types import DefinitionError, Type, parse

__all__ = ["DefinitionError", "Protocol"]


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


@dataclass
class Field:
    name: str
    type: Type
    doc: str
    offset: int | None  # from the start of the structure, while everything before has one size


@dataclass
class Struct:
    name: str
    doc: str
    fields: list[Field]

    @property
    def size(self) -> int | None:
        sizes = [field.type.size for field in self.fields]
        return None if None in sizes else sum(sizes)

    @property
    def smallest(self) -> int:
        return sum(field.type.smallest for field in self.fields)


@dataclass
class Command:
    name: str                  # as in the definition
    id: int
    doc: str
    request: Struct | None
    reply: Struct | None
    type: int = 0              # level 1 only
    queued: bool = False       # level 2 only: has no reply

    @property
    def camel(self) -> str:
        return camel(self.name)


@dataclass
class Enum:
    name: str
    doc: str
    values: dict[str, list]

    @property
    def underlying(self) -> str:
        return "int32_t" if any(value < 0 for value, _ in self.values.values()) else "uint32_t"


@dataclass
class LayoutField:
    name: str
    offset: int
    type: str
    writer: str
    doc: str

    @property
    def camel(self) -> str:
        return "SizeField" if self.name == "size" else camel(self.name)  # kSize is the layout's


@dataclass
class Layout:
    name: str
    doc: str
    size: int
    fields: list[LayoutField] = field(default_factory=list)


class Protocol:
    def __init__(self, definition: dict):
        self.version = definition["version"]
        self.limits = definition["limits"]
        self.enums = {name: Enum(name, entry["doc"], entry["values"])
                      for name, entry in definition["enums"].items()}
        self.structs: dict[str, Struct] = {}
        for name, entry in definition["structs"].items():
            self.structs[name] = self._struct(name, entry["doc"], entry["fields"])
        self.layouts = [self._layout(name, entry) for name, entry in definition["layouts"].items()]
        self.apir = definition["apir"]
        self.apir_commands = self._commands(definition["apir"]["commands"], "Apir")
        self.forwards = definition["forwards"]
        self.forward_commands = self._commands(self.forwards["commands"], "Forward")
        self.commands = self._commands(definition["commands"], "")
        self.containers = definition["container"]
        self.container_messages = self._commands(self.containers["messages"], "Container")
        self.workers = definition["worker"]
        self.worker_messages = self._commands(self.workers["messages"], "Worker")

    @property
    def message_structs(self) -> list[Struct]:
        """Requests and replies of all levels."""
        commands = [*self.apir_commands, *self.forward_commands, *self.commands,
                    *self.container_messages, *self.worker_messages]
        return [struct for command in commands for struct in (command.request, command.reply)
                if struct]

    @property
    def all_structs(self) -> list[Struct]:
        return [*self.structs.values(), *self.message_structs]

    def can_be_wrong(self, struct: Struct) -> bool:
        """Whether there are bytes of its size that are no such structure: where not all fields are numbers."""
        return any(field.type.kind in ("bool", "enum") or
                   field.type.kind == "struct" and self.can_be_wrong(self.structs[field.type.text])
                   for field in struct.fields)

    def _struct(self, name: str, doc: str, fields: dict) -> Struct:
        result, offset = [], 0
        for field_name, (type_text, field_doc) in fields.items():
            type_ = parse(type_text, self.enums, self.structs)
            self._check_limit(type_, f"{name}.{field_name}")
            result.append(Field(field_name, type_, field_doc, offset))
            offset = None if offset is None or type_.size is None else offset + type_.size
        return Struct(name, doc, result)

    def _check_limit(self, type_: Type, where: str) -> None:
        if type_.limit and not type_.limit.isdigit() and type_.limit not in self.limits:
            raise DefinitionError(f"{where}: unknown limit '{type_.limit}'")

    def _commands(self, entries: dict, prefix: str) -> list[Command]:
        commands, seen = [], {}
        for name, entry in entries.items():
            key = (entry.get("type", 0), entry.get("id", 0))
            if key in seen:
                raise DefinitionError(f"{name} has the id of {seen[key]}")
            seen[key] = name
            base = prefix + camel(name)
            structs = {part: self._struct(base + part.capitalize(), entry["doc"], entry[part])
                       if part in entry else None for part in ("request", "reply")}
            queued = entry.get("queued", False)
            if queued and structs["reply"]:
                raise DefinitionError(f"{name} is queued and has a reply")
            commands.append(Command(name, entry.get("id", 0), entry["doc"], structs["request"],
                                    structs["reply"], entry.get("type", 0), queued))
        return commands

    @staticmethod
    def _layout(name: str, entry: dict) -> Layout:
        layout = Layout(name, entry["doc"], entry["size"])
        end = 0
        for field_name, (offset, type_, writer, doc) in entry["fields"].items():
            size = {"u32": 4, "u64": 8}[type_]
            if offset < end or offset + size > layout.size or offset % size:
                raise DefinitionError(f"{name}.{field_name}: bad place {offset}")
            end = offset + size
            layout.fields.append(LayoutField(field_name, offset, type_, writer, doc))
        return layout
