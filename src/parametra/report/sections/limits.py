"""Limits: what so coarse a world cannot show, said plainly."""

from parametra.report.reader import RunReader
from parametra.report.section import Bullets, Section

LEAD = "What this world cannot show, whatever the figures above say."
ITEMS = (
    "Waves. Tropical waves and the Madden-Julian oscillation need more longitudes and at least two years of truth; a spectrum of "
    "fewer than ten windows is drawn to be looked at, not believed.",
    "Storm tracks. With so few rows the eddies of the middle latitudes are weak and broad.",
    "Extremes. Eight cloud columns of 4 km rain in bursts; tails of precipitation are not those of an atmosphere.",
    "The place of the rain belt to better than one row: truth itself moves between neighbouring rows.",
    "Seasons, land, ice, aerosols, a changing ocean: the sea surface is prescribed and the sun stays over the equator.",
    "Sampling. The truth is short; means carry the error that the split halves show, and one seed proves nothing about others.",
    "Per-cell R² over a few days is dominated by cells that hardly vary; read it with the count of masked cells.",
)


def section(run: RunReader) -> Section | None:
    """Sentences for the climate study."""
    return Section("limits", "Limits", LEAD, (Bullets(ITEMS),))
