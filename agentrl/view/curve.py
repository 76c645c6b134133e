"""The learning curve of a run, as a picture."""

from pathlib import Path
from typing import Any

from agentrl.errors import ConfigError
from agentrl.metrics import MetricsLog


def draw_curve(run_directory: Path) -> Path:
    """The path of a PNG: success over training steps, each evaluation with its interval.

    Raises:
        ConfigError: matplotlib is not installed, or the run has no metrics.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ConfigError("Drawing needs matplotlib: pip install 'agentrl[view]'.") from error
    log = MetricsLog(run_directory / "metrics.jsonl")
    steps, evaluations = log.read("train"), log.read("evaluation")
    if not steps and not evaluations:
        raise ConfigError(f"{run_directory} has no metrics to draw.")
    figure = Figure(figsize=(7, 4), dpi=130, layout="constrained")
    axes = figure.subplots()
    _draw_training(axes, steps)
    _draw_evaluations(axes, evaluations)
    axes.set(xlabel="training step", ylabel="success rate", ylim=(0, 1.02))
    axes.set_title(run_directory.name, fontsize=10)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    path = run_directory / "learning_curve.png"
    figure.savefig(path)
    return path


def _draw_training(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Every step's success as dots, and a running mean over about a twelfth of the run."""
    if not rows:
        return
    steps, success = [row["step"] for row in rows], [row["env/success_rate"] for row in rows]
    window = max(1, len(rows) // 12)
    smooth = [sum(success[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(success))]
    axes.plot(steps, success, ".", color="#9ecae1", markersize=4, label="training tasks, each step")
    axes.plot(steps, smooth, color="#3182bd", linewidth=1.8, label=f"running mean of {window}")


def _draw_evaluations(axes: Any, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    rate = [row["success_rate"] for row in rows]
    below = [row["success_rate"] - row["success_low"] for row in rows]
    above = [row["success_high"] - row["success_rate"] for row in rows]
    steps = [row["step"] for row in rows]
    axes.errorbar(
        steps, rate, yerr=[below, above], fmt="o", color="#d95f0e", capsize=3, label="unseen tasks (95 % interval)"
    )
