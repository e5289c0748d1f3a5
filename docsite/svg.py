"""A picture as SVG text, in colours that are named, so that it reads on light paper and on dark."""

from __future__ import annotations

from html import escape

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f5f7f9",
    "ink": "#1f2933",
    "soft": "#5b6875",
    "line": "#c9d1d9",
    "caller": "#2463c9",
    "caller-tint": "#dce8fb",
    "flux": "#0b7580",
    "flux-tint": "#d7eff1",
    "turnkit": "#b04a00",
    "turnkit-tint": "#fde6d2",
    "llm": "#7038b0",
    "llm-tint": "#ecdffa",
    "voice": "#1f7a38",
    "voice-tint": "#d9f0de",
    "stop": "#c02232",
    "stop-tint": "#fbdde0",
}
DARK = {
    "paper": "#171b21",
    "panel": "#20262e",
    "ink": "#e4e9ee",
    "soft": "#a3afbb",
    "line": "#46515d",
    "caller": "#8ab4ff",
    "caller-tint": "#1e3557",
    "flux": "#64d2dd",
    "flux-tint": "#12393e",
    "turnkit": "#ffb067",
    "turnkit-tint": "#4a2c10",
    "llm": "#cfa6ff",
    "llm-tint": "#3a2457",
    "voice": "#7fdc97",
    "voice-tint": "#183d23",
    "stop": "#ff8f99",
    "stop-tint": "#4d1a20",
}
FONT = 'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif'
_RULES = (
    f".turnkit-picture text{{{FONT};font-size:13px;fill:var(--tk-ink)}}"
    ".turnkit-picture .small{font-size:12px}"
    ".turnkit-picture .strong{font-weight:600}"
    ".turnkit-picture .soft{fill:var(--tk-soft)}"
    ".turnkit-picture .slant{font-style:italic;fill:var(--tk-soft)}"
    ".turnkit-picture .code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:11px}"
    ".turnkit-picture .over{paint-order:stroke;stroke:var(--tk-paper);stroke-width:5px;stroke-linejoin:round}"
)


def _variables(palette: dict[str, str]) -> str:
    return "".join(f"--tk-{name}:{value};" for name, value in palette.items())


def style() -> str:
    """The rules that a picture carries with it, for whoever shows it by itself: it goes by the reader's system."""
    return (
        f".turnkit-picture{{{_variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{.turnkit-picture{{{_variables(DARK)}}}}}{_RULES}"
    )


def stylesheet() -> str:
    """The same for the site, which has the pictures in its pages: they go by the scheme that the reader chose there."""
    return (
        "/* Written by `python -m docsite`. */\n"
        f".turnkit-picture {{{_variables(LIGHT)}}}\n"
        f'[data-md-color-scheme="slate"] .turnkit-picture {{{_variables(DARK)}}}\n'
        + _RULES.replace("}.", "}\n.")
        + "\n"
    )


def width_of(text: str, size: float = 13) -> float:
    """About how wide a text is."""
    return sum(0.32 if letter in "iljt.,:;'|!() " else 0.86 if letter in "mwMW" else 0.56 for letter in text) * size


class Picture:
    """Shapes and texts one upon the other, on paper of its own.

    Args:
        width: of the paper, as all that follows in pixels.
        height: of the paper.
        title: what it is.
        description: what it shows, for those who do not see it.
    """

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self.width = width
        self.height = height
        self._head = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        self._parts: list[str] = []

    def add(self, part: str) -> None:
        """Put a shape on top, as SVG."""
        self._parts.append(part)

    def text(self, x: float, y: float, text: str, *, css: str = "", anchor: str = "middle", ink: str = "") -> None:
        """Write a line.

        Args:
            x: where it begins, has its middle or ends, as `anchor` says.
            y: its base line.
            text: what it says.
            css: classes, such as "small strong".
            anchor: "start", "middle" or "end".
            ink: the name of a colour; the class's own if empty.
        """
        classes = f' class="{css}"' if css else ""
        colour = f' style="fill:var(--tk-{ink})"' if ink else ""
        self.add(
            f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{classes}{colour}>{escape(text, quote=False)}</text>'
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        stroke: str,
        *,
        radius: float = 5,
        more: str = "",
    ) -> None:
        """Draw a rectangle with round corners in two named colours."""
        self.add(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'style="fill:{_paint(fill)};stroke:var(--tk-{stroke})" stroke-width="1.5"{more}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> None:
        """Draw a straight line in a named colour."""
        self.add(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" style="stroke:var(--tk-{colour})" '
            f'stroke-width="1.5"{more}/>'
        )

    def arrow(self, path: str, colour: str, more: str = "") -> None:
        """Draw a path with a head at its end."""
        self.add(
            f'<path d="{path}" fill="none" style="stroke:var(--tk-{colour})" stroke-width="1.6" '
            f'marker-end="url(#head-{colour})"{more}/>'
        )

    def svg(self) -> str:
        """The whole picture."""
        heads = "".join(
            f'<marker id="head-{colour}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto-start-reverse"><path d="M0,0.8 L10,5 L0,9.2 z" style="fill:var(--tk-{colour})"/></marker>'
            for colour in sorted({part.split("#head-")[1].split(")")[0] for part in self._parts if "#head-" in part})
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" class="turnkit-picture" role="img">\n{self._head}\n'
            f"<style>{style()}</style>\n<defs>{heads}</defs>\n"
            f'<rect width="{self.width}" height="{self.height}" rx="8" style="fill:var(--tk-paper)"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def _paint(fill: str) -> str:
    return "none" if fill == "none" else f"var(--tk-{fill})"
