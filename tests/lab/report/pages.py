"""Reading a page as a browser does: its elements, their texts, its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "wbr", "br", "link", "hr", "input"}
SELF_CLOSED = {"circle", "line", "path", "use", "rect"}


@dataclass
class Element:
    """One element: its attributes, its children, its text with that of its children."""

    tag: str
    attributes: dict[str, str | None]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Those below it, in order, with such a tag and such attributes."""
        found = []
        for child in self.children:
            fits = tag in ("", child.tag) and all(child.attributes.get(k) == v for k, v in attributes.items())
            found += [child] if fits else []
            found += child.all(tag, **attributes)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.path = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.path[-1].children.append(element)
        if tag not in VOID:
            self.path.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.path[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.path[-1].tag == tag, f"</{tag}> closes <{self.path[-1].tag}> at {self.getpos()}"
        self.path.pop()

    def handle_data(self, data: str) -> None:
        for element in self.path:
            element.texts.append(data)


def read(page: str) -> Element:
    """The page's root. Fails where an element is not closed, or closed twice."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.path) == 1, f"never closed: {[e.tag for e in reader.path[1:]]}"
    return reader.path[0]


def rows(table: Element) -> list[list[str]]:
    """A table's body, cell by cell."""
    (body,) = table.all("tbody")
    return [[cell.text for cell in row.children] for row in body.all("tr")]
