"""What finished stages said to the page besides their fields."""

from typing import Any

from parametra.report.reader import RunReader
from parametra.report.section import Section, missing


def payload_of(run: RunReader, stage: str) -> dict[str, Any]:
    """What the stage returned; empty if it is not finished."""
    done = [entry["payload"] for entry in run.events if entry["event"] == "stage_done" and entry.get("stage") == stage]
    return done[-1] if done else {}


def skipped(run: RunReader, stage: str, title: str, lead: str) -> Section | None:
    """A section that says that the preset leaves this stage out, if the stage is finished without a field."""
    done = any(entry["event"] == "stage_done" and entry.get("stage") == stage for entry in run.events)
    if not done or run.folder.fields(stage).exists():
        return None
    return missing(stage, title, lead, f"Not part of this preset: its configuration names no widths for {stage}.")
