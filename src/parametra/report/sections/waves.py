"""R5: equatorial waves in rain, by wavenumber and frequency."""

from parametra.report.figures.palette import label
from parametra.report.figures.spectrum import wave_spectrum
from parametra.report.formatting import number
from parametra.report.reader import RunReader
from parametra.report.section import Figure, Note, Panels, Part, Section, Table, missing
from parametra.report.sections.chance import sample

TITLE = "Equatorial waves"
LEAD = (
    "R5. Power of daily rain near the equator over a smooth background (windows of 96 days, 10 % cosine taper), with the "
    "dispersion curves of shallow water at equivalent depths of 12, 25 and 50 m. Red lies where rain is organised into waves."
)
PARTS = {"symmetric": "symmetric", "antisymmetric": "antisymmetric"}
FAMILIES = {"symmetric": ("kelvin", "rossby", "gravity_1"), "antisymmetric": ("mixed_rossby_gravity", "gravity_2")}
LEAST = 10


def section(run: RunReader) -> Section | None:
    """Spectra of the records that are long enough for one, bands, and what may be claimed."""
    if run.fields("yardstick") is None:
        return missing("waves", TITLE, LEAD, run.why_missing("waves"))
    data = run.fields("waves")
    if data is None:
        return missing("waves", TITLE, LEAD, "No record is as long as one window of 96 days: there is no spectrum to draw.")
    parts: list[Part] = []
    for name in map(str, data.run.values):
        drawings = []
        for part, word in PARTS.items():
            curves = {
                family: [data.dispersion.sel(family=family, depth=depth).values for depth in data.depth.values]
                for family in FAMILIES[part]
            }
            values = data[f"ratio_{part}"].sel(run=name).transpose("frequency", "wavenumber").values
            drawings.append(
                wave_spectrum(data.wavenumber.values, data.frequency.values, values, curves, f"{label(name)}, {word}")
            )
        parts.append(Panels(tuple(Figure(drawing) for drawing in drawings), columns=2))
    windows = {str(name): int(count) for name, count in zip(data.run.values, data.windows.values, strict=True)}
    body = tuple(
        (label(name), str(windows[name]), *(number(float(data.band_ratio.sel(run=name, band=band))) for band in data.band.values))
        for name in windows
    )
    caption = "Power over that of the background, summed over the boxes of the wave families; 1 is the background itself."
    parts.append(Table(("run", "windows", *(str(band) for band in data.band.values)), body, caption))
    parts += _claims(windows)
    parts += sample(run, "wave_spectrum")
    return Section("waves", TITLE, LEAD, tuple(parts))


def _claims(windows: dict[str, int]) -> list[Part]:
    short = [f"{label(name)} ({count} windows)" for name, count in windows.items() if count < LEAST]
    parts: list[Part] = []
    if "truth" not in windows:
        parts.append(Note("The truth is shorter than one window, so these waves cannot be called right or wrong.", "warning"))
    if short:
        text = f"Fewer than {LEAST} windows: {', '.join(short)}. No wave is claimed from so few; colours alternate by chance."
        parts.append(Note(text, "warning"))
    return parts
