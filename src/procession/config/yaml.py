"""YAML text to a tree of nodes that know their place.

Built from the parser's events, not from `yaml.load` or `yaml.compose`: events cost about 60 % of
a load, a scalar's event *is* its node (nothing is built twice), aliases are met one by one, so
that what they expand to can be counted, and nothing recurses, neither here nor in libyaml.

Bounds, so that no text takes the supervisor's time or memory: `source.MAX_BYTES`,
`MAX_DEPTH`, `MAX_EVENTS`, and `MAX_EXPANDED` nodes put in place of aliases ("billion laughs").
"""

from __future__ import annotations

from procession.config.pyyaml import LOADER, yaml
from procession.config.scalars import BOOLEAN, FLOAT, INTEGER, NULL, TEXT, plain_kind
from procession.config.source import MAX_DEPTH, MAX_PROBLEMS, Mark, Problem
from procession.config.suggest import closest
from procession.config.yaml_words import reworded
from procession.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from procession.config.source import Source

MAX_EVENTS = 250_000  # 1,000 rich tasks have 40,000
MAX_EXPANDED = 250_000  # nodes; 1,000 tasks that share 50 variables put 100,000 in place

AliasEvent = yaml.AliasEvent
CollectionEndEvent = yaml.CollectionEndEvent
CollectionStartEvent = yaml.CollectionStartEvent
MappingStartEvent = yaml.MappingStartEvent
ScalarEvent = yaml.ScalarEvent
StreamEndEvent = yaml.StreamEndEvent

Scalar = ScalarEvent
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {
    _CORE + "null": (NULL,),
    _CORE + "bool": (BOOLEAN,),
    _CORE + "int": (INTEGER,),
    _CORE + "float": (INTEGER, FLOAT),
}


class Sequence:
    """A list."""

    __slots__ = ("items", "open", "start_mark", "weight")

    def __init__(self, event: yaml.CollectionStartEvent | None) -> None:
        self.items: list[Node] = []
        self.start_mark = None if event is None else event.start_mark
        self.open = True
        self.weight = 0  # nodes below, those that aliases stand for counted as often as they do


class Mapping(Sequence):
    """A mapping; `items` alternates keys and values, `<<` taken out. Keys may be doubled."""

    __slots__ = ("merged",)

    def __init__(self, event: yaml.CollectionStartEvent) -> None:
        super().__init__(event)
        self.merged: list[Node] = []  # keys and values by `<<`; of equal keys the first counts


if TYPE_CHECKING:
    Node = ScalarEvent | Sequence


def kind_of(node: Scalar) -> str:
    """What a scalar is by the YAML 1.2 core schema: one of the kinds of `scalars`."""
    return plain_kind(node.value) if node.implicit[0] else TEXT


def mark_of(node: Node | yaml.Event) -> Mark:
    """Where the node begins."""
    assert node.start_mark is not None, "only the sequence around the root has no place"
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def compose(source: Source, loader: type = LOADER) -> tuple[Node | None, list[Problem]]:
    """The root of the one document in `source`, and what is wrong with it as YAML.

    With a syntax error the root is None. Broken aliases, merges and tags are told one by one, and
    the tree is as good as can be without them.
    """
    composer = _Composer(source)
    try:
        parser = loader(source.text)
        try:
            root = composer.document(parser.get_event)
        finally:
            parser.dispose()
    except yaml.YAMLError as error:
        composer.problems.append(reworded(source, error))
    except (
        UnicodeEncodeError
    ) as error:  # half a surrogate pair: no file has it, a caller's text may
        composer.problems.append(
            source.problem(source.mark(error.start), "half of a surrogate pair", "text")
        )
    except _Stopped:
        pass
    else:
        return root, composer.problems
    return None, composer.problems


class _Stopped(Exception):  # noqa: N818 - it ends the reading; the problem is already told
    """Reading on makes no sense, or would take too long."""


class _Composer:
    """Builds the tree of one source."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._anchors: dict[str, Node] = {}
        self._expanded = 0
        self._merges = "<<" in source.text

    def document(self, get: Callable[[], yaml.Event]) -> Node | None:
        """The root node; None for an empty stream, which is a problem."""
        get()  # the stream's start
        if isinstance(get(), StreamEndEvent):
            self._tell(Mark(1, 1), "the file is empty", "a mapping with `tasks`")
            return None
        root = self._nodes(get)
        get()  # the document's end
        following = get()
        if not isinstance(following, StreamEndEvent):
            self._tell(
                mark_of(following), "a second document begins here", "one document in a file"
            )
        return root

    def _nodes(self, get: Callable[[], yaml.Event]) -> Node:
        """The next node with all that is below it. The hot loop of reading a file."""
        current = top = Sequence(None)
        items = top.items
        above: list[Sequence] = []
        anchors = self._anchors
        for _ in range(MAX_EVENTS):
            event = get()
            if isinstance(event, ScalarEvent):
                if event.tag is not None:
                    self._tagged(event)
                if event.anchor is not None:
                    anchors[event.anchor] = event
                items.append(event)
            elif isinstance(event, CollectionStartEvent):
                node = Mapping(event) if isinstance(event, MappingStartEvent) else Sequence(event)
                self._started(event, node, len(above))
                items.append(node)
                above.append(current)
                current, items = node, node.items
            elif isinstance(event, CollectionEndEvent):
                current.open = False
                current.weight += len(items)
                if self._merges and isinstance(current, Mapping):
                    self._merge(current)
                above[-1].weight += current.weight
                current = above.pop()
                items = current.items
            else:
                assert isinstance(event, AliasEvent), event
                items.append(self._alias(event, current))
            if not above:
                return top.items[0]
        raise self._stopped(
            mark_of(event), f"more than {MAX_EVENTS} values, lists and mappings by now"
        )

    def _started(self, event: CollectionStartEvent, node: Sequence, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise self._stopped(mark_of(event), f"nested more than {MAX_DEPTH} levels deep")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        if event.tag is not None:
            fits = _CORE + ("map" if isinstance(node, Mapping) else "seq")
            if event.tag not in ("!", fits):
                self._bad_tag(event, event.tag)

    def _tagged(self, event: ScalarEvent) -> None:
        """Let `implicit` say what an explicit tag says: `kind_of` looks at nothing else."""
        tag = event.tag or ""
        kinds = _SCALAR_TAGS.get(tag)
        if tag in ("!", _CORE + "str"):
            event.implicit = (False, True)
        elif kinds is None:
            self._bad_tag(event, tag)
        elif plain_kind(event.value) in kinds:
            event.implicit = (True, False)
        else:
            what = f"{quoted(event.value)} is not what its tag {_written(tag)} says"
            self._tell(mark_of(event), what, "a value of that type, or no tag")

    def _bad_tag(self, event: yaml.Event, tag: str) -> None:
        known = ["!!str", "!!int", "!!float", "!!bool", "!!null", "!!seq", "!!map"]
        self._tell(
            mark_of(event),
            f"unknown tag {_written(tag)}",
            "no tag, or one of " + " ".join(known),
            closest(_written(tag).strip("`"), known),
        )

    def _alias(self, event: AliasEvent, current: Sequence) -> Node:
        name = event.anchor or ""
        node = self._anchors.get(name)
        weight = 1
        if node is None:
            self._tell(
                mark_of(event),
                f"no anchor `&{name}` comes before this alias",
                "an anchor's name, or quotes around text that begins with `*`",
                closest(name, self._anchors),
            )
            # an empty scalar in its place, so that keys and values stay paired
            return ScalarEvent(None, None, (True, False), "", event.start_mark, event.end_mark)
        if isinstance(node, Sequence):
            if node.open:
                raise self._stopped(
                    mark_of(event), f"the alias `*{name}` stands inside its own anchor"
                )
            weight += node.weight
        self._expanded += weight
        if self._expanded > MAX_EXPANDED:
            raise self._stopped(
                mark_of(event), f"aliases stand for more than {MAX_EXPANDED} values by now"
            )
        current.weight += weight - 1
        return node

    def _merge(self, mapping: Mapping) -> None:
        """Take `<<` out of the items and gather what it brings.

        Whatever it names ended before this mapping did, and is merged itself: no recursion.
        """
        items = mapping.items
        own: list[Node] = []
        seen = False
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, ScalarEvent) or key.value != "<<" or not key.implicit[0]:
                own += (key, value)
                continue
            if seen:
                self._tell(mark_of(key), "`<<` is given twice", "one `<<` with a list of mappings")
            seen = True
            parts = value.items if type(value) is Sequence else [value]
            for part in parts:
                if isinstance(part, Mapping):
                    mapping.merged += part.items
                    mapping.merged += part.merged
                else:
                    self._tell(mark_of(key), "`<<` merges mappings", "an alias of a mapping")
        mapping.items = own

    def _tell(self, mark: Mark, what: str, expected: str = "", suggestion: str = "") -> None:
        self.problems.append(self._source.problem(mark, what, expected, suggestion))
        if len(self.problems) >= MAX_PROBLEMS:
            raise self._stopped(mark, "too many problems: what comes after this was not read")

    def _stopped(self, mark: Mark, what: str) -> _Stopped:
        self.problems.append(self._source.problem(mark, what))
        return _Stopped()


def _written(tag: str) -> str:
    """A tag as people write it: `!!str` for the long name."""
    return quoted("!!" + tag[len(_CORE) :] if tag.startswith(_CORE) else tag)
