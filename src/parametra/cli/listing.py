"""`parametra list`."""


def list_studies() -> None:
    """List the studies with their stages, and their presets with the time and memory that each needs."""
    from rich.console import Console
    from rich.table import Table

    from parametra.studies.registry import STUDIES, find

    console = Console(highlight=False)
    for study in map(find, STUDIES):
        console.print(f"[bold]{study.name}[/bold]  {study.summary}")
        console.print(f"  stages: {', '.join(stage.name for stage in study.stages)}")
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        for column in ("", "preset", "minutes", "memory", "GPU", "what for"):
            table.add_column(column)
        for preset in study.presets():
            about = study.about(preset)
            gpu = f"{about.gpu_memory_gb:g} GB" if about.gpu_memory_gb else ""
            table.add_row("", f"{study.name}/{preset}", f"{about.minutes:g}", f"{about.memory_gb:g} GB", gpu, about.summary)
        console.print(table)
