"""Samples into figures, a table for people and a file for machines."""

import json
import os
import platform
import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xenweb.lab.qemu import requirements


def percentile(samples: list[float], share: float) -> float:
    """Answer the sample below which ``share`` (0..1) of all samples lie; the nearest rank."""
    ordered = sorted(samples)
    rank = max(0, min(len(ordered) - 1, round(share * len(ordered) + 0.5) - 1))
    return ordered[rank]


@dataclass
class Figures:
    """The figures of one run, each with its samples, its bound and what it is."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)
    apart: dict[str, Any] = field(default_factory=dict)
    """What others read as it is, by its key in the file."""

    def add(self, key: str, value: float, samples: list[float], *, bound: float | None = None, what: str) -> None:
        """Keep one figure with at least one sample; ``bound`` is the most that it may be."""
        self.rows[key] = {
            "value": round(value, 3),
            "bound": bound,
            "what": what,
            "n": len(samples),
            "median": round(statistics.median(samples), 3),
            "samples": [round(sample, 3) for sample in samples],
        }

    def table(self) -> str:
        """Draw the figures for a person."""
        lines = [f"{'figure':<34}{'value':>10}{'bound':>10}{'n':>6}   what"]
        for key, row in self.rows.items():
            bound = "–" if row["bound"] is None else f"≤ {row['bound']:g}"
            lines.append(f"{key:<34}{row['value']:>10g}{bound:>10}{row['n']:>6}   {row['what']}")
        return "\n".join(lines)

    def keep(self, key: str, samples: list[dict[str, Any]]) -> None:
        """Keep samples that are more than a number, each with its conditions."""
        self.raw[key] = samples

    def write(self, path: Path, *, others_stay: bool = False, hypervisor: str = "") -> None:
        """Write figures by key, with their samples and the conditions of the run.

        With ``others_stay`` the file keeps what it holds of figures that were not measured this time.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        said: dict[str, Any] = json.loads(path.read_text()) if others_stay and path.exists() else {}
        conditions = {
            "hypervisor": hypervisor or requirements.qemu_version(),
            "measured_on": datetime.now(UTC).date().isoformat(),
            "load": os.getloadavg()[0],
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
        }
        said |= {key: row["value"] for key, row in self.rows.items()}
        said["conditions"] = conditions
        said["detail"] = said.get("detail", {}) | {key: row | conditions for key, row in self.rows.items()}
        said["raw"] = said.get("raw", {}) | self.raw
        said |= self.apart
        path.write_text(json.dumps(said, indent=1) + "\n")

    @property
    def missed(self) -> list[str]:
        """Name the figures that are over their bound."""
        return [key for key, row in self.rows.items() if row["bound"] is not None and row["value"] > row["bound"]]
