"""A screen as an SVG picture: the cells as text, their colours as Neovim gave them."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Screen

CELL_W, CELL_H, MARGIN = 8.4, 17, 10
FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def _color(value: int) -> str:
    return f"#{value & 0xFFFFFF:06x}"


def svg(screen: Screen) -> str:
    """Draw ``screen``; runs of one look become one text element of exact width."""
    fore = screen.default_colors.get("foreground", 0xE0E2EA)
    back = screen.default_colors.get("background", 0x14161B)
    width, height = screen.width * CELL_W + 2 * MARGIN, screen.height * CELL_H + 2 * MARGIN

    def look(cell: tuple[str, int]) -> tuple[int, int, bool]:
        style = screen.highlights.get(cell[1], {})
        ink, paper = style.get("foreground", fore), style.get("background", back)
        return (paper, ink, False) if style.get("reverse") else (ink, paper, bool(style.get("bold")))

    shapes, texts = [], []
    for number, row in enumerate(screen.cells):
        column, y = 0, MARGIN + number * CELL_H
        for (ink, paper, bold), cells in groupby(row, key=look):
            text = [cell[0] for cell in cells]
            x, span = MARGIN + column * CELL_W, len(text) * CELL_W
            column += len(text)
            if paper != back:
                shapes.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{span:.1f}" height="{CELL_H}" fill="{_color(paper)}"/>'
                )
            words = "".join(text)
            if words.strip():
                weight = ' font-weight="bold"' if bold else ""
                texts.append(
                    f'<text x="{x:.1f}" y="{y + 12.5}" fill="{_color(ink)}"{weight} textLength="{span:.1f}"'
                    f' xml:space="preserve">{escape(words)}</text>'
                )
    box = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="{FONT}" font-size="14">',
            f'<rect width="100%" height="100%" rx="6" fill="{_color(back)}"/>',
            *shapes,
            *texts,
            "</svg>\n",
        ]
    )
