"""Where work is done: processes of this machine, or of several. Results do not depend on it."""

from .base import Engine, Work
from .local import LocalEngine, cores

ENGINES = ("local", "ray")


def engine(name: str, processes: int | None) -> Engine:
    """An engine by its name. processes: how many pieces of work at a time; None leaves it to the engine.

    Raises:
        ValueError: another name, or an engine whose package is not installed.
    """
    if name == "local":
        return LocalEngine(processes or cores())
    if name == "ray":
        from .ray import RayEngine

        return RayEngine(processes)
    raise ValueError(f"--engine {name}, allowed: {', '.join(ENGINES)}")


__all__ = ["ENGINES", "Engine", "LocalEngine", "Work", "cores", "engine"]
