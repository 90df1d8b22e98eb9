# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plot as a small SVG: lines over two logarithmic axes, each named where it ends. The standard library alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 850, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 270, 48, 52
# From the Okabe-Ito palette, which people tell apart who see colours differently. A dash does it without colours.
COLOURS = ("#0072b2", "#555555", "#d55e00", "#009e73", "#cc79a7")
DASHED = "first"
_LINE_HEIGHT = 15

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis from ``low`` to ``high`` in the data, drawn from ``start`` to ``end`` in pixels."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


def plot(title: str, x_title: str, y_title: str, lines: Mapping[str, Points], ticks: Sequence[float]) -> str:
    """The text of an SVG file.

    Args:
        lines: By their names, such as ``Compose, first``, points with positive coordinates, from left to right.
        ticks: What is marked on the x axis.
    """
    values = [y for points in lines.values() for _x, y in points]
    x_axis = Axis(min(ticks), max(ticks), LEFT, WIDTH - RIGHT)
    y_axis = Axis(*decades(min(values), max(values)), HEIGHT - BOTTOM, TOP)
    drawn = [
        _text(LEFT, 22, title, "font-weight='bold' font-size='15'"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_title, "text-anchor='middle'"),
        _text(LEFT, 40, y_title, "fill='#555'"),
        *_grid(x_axis, y_axis, ticks),
        *(_line(points, x_axis, y_axis, style) for points, style in zip(lines.values(), styles(lines))),
        *_names(lines, y_axis),
    ]
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}'"
            " font-family='sans-serif' font-size='12' role='img'>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
            *drawn,
            "</svg>\n",
        ]
    )


def styles(names: Iterable[str]) -> list[tuple[str, str]]:
    """A colour and a dash for each line: one colour for what is before the comma of its name."""
    colours: dict[str, str] = {}
    found = []
    for name in names:
        what, _comma, kind = name.partition(", ")
        colour = colours.setdefault(what, COLOURS[len(colours) % len(COLOURS)])
        found.append((colour, "6 4" if kind == DASHED else ""))
    return found


def decades(low: float, high: float) -> tuple[float, float]:
    """Limits of an axis: the next 1, 2 or 5 of a decade below and above."""
    below = max(step for step in _steps(low) if step <= low)
    above = min(step for step in _steps(high) if step >= high)
    return below, above if above > below else above * 2


def _steps(value: float) -> list[float]:
    power: float = 10.0 ** math.floor(math.log10(value))
    return [power * factor for factor in (0.5, 1, 2, 5, 10)]


def marks(low: float, high: float) -> list[float]:
    """What is marked on a logarithmic axis: each 1, 2 and 5."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [mark for mark in found if low * 0.999 <= mark <= high * 1.001]


def spread(wanted: Sequence[float], distance: float) -> list[float]:
    """The places that are wanted, each moved down by as much as keeps it ``distance`` from the one above it."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed: dict[int, float] = {}
    floor = -math.inf
    for index in order:
        floor = placed[index] = max(wanted[index], floor + distance)
    return [placed[index] for index in range(len(wanted))]


def _grid(x_axis: Axis, y_axis: Axis, ticks: Sequence[float]) -> list[str]:
    drawn = []
    for mark in marks(y_axis.low, y_axis.high):
        y = y_axis.place(mark)
        drawn.append(f"<path d='M{LEFT} {y}H{WIDTH - RIGHT}' stroke='#ddd'/>")
        drawn.append(_text(LEFT - 8, y + 4, f"{mark:g}", "text-anchor='end'"))
    for tick in ticks:
        x = x_axis.place(tick)
        drawn.append(f"<path d='M{x} {TOP}V{HEIGHT - BOTTOM}' stroke='#eee'/>")
        drawn.append(_text(x, HEIGHT - BOTTOM + 18, f"{tick:g}", "text-anchor='middle'"))
    return drawn


def _line(points: Points, x_axis: Axis, y_axis: Axis, style: tuple[str, str]) -> str:
    colour, dashes = style
    places = [(x_axis.place(x), y_axis.place(y)) for x, y in points]
    path = "L".join(f"{x} {y}" for x, y in places)
    dots = "".join(f"<circle cx='{x}' cy='{y}' r='3' fill='{colour}'/>" for x, y in places)
    return f"<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2' stroke-dasharray='{dashes}'/>{dots}"


def _names(lines: Mapping[str, Points], y_axis: Axis) -> list[str]:
    """Each line's name beside its end, or as near as the others leave room."""
    places = spread([y_axis.place(points[-1][1]) for points in lines.values()], _LINE_HEIGHT)
    drawn = []
    for name, place, (colour, dashes) in zip(lines, places, styles(lines)):
        x = WIDTH - RIGHT + 10
        drawn.append(f"<path d='M{x} {place}h18' stroke='{colour}' stroke-width='2' stroke-dasharray='{dashes}'/>")
        drawn.append(_text(x + 24, place + 4, name, f"fill='{colour}'"))
    return drawn


def _text(x: float, y: float, text: str, how: str) -> str:
    return f"<text x='{x}' y='{round(y, 1)}' {how}>{escape(text)}</text>"
