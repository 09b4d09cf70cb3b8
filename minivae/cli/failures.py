"""What a command says of an error, in one sentence, and the exit code that it then has."""

from ..interrupts import exit_code


def said(error: BaseException) -> tuple[int, str] | None:
    """Exit code and sentence; None of an error that is minivae's own fault."""
    if isinstance(error, KeyboardInterrupt):
        return exit_code(error), "interrupted."
    if isinstance(error, MemoryError):
        foreign = f"not enough memory ({error}); use a smaller model or batch"
        return 2, ended(str(error) if _is_ours(error) else foreign)
    if isinstance(error, OSError):
        return 2, ended(_of_os_error(error))
    no_home = isinstance(error, RuntimeError) and "home directory" in str(error)
    return (2, ended(str(error))) if _is_ours(error) or no_home else None


def ended(message: str) -> str:
    """Return a sentence with its end."""
    return message if message.endswith((".", "?")) else f"{message}."


def _is_ours(error: BaseException) -> bool:
    from ..errors import MinivaeError

    return isinstance(error, MinivaeError)


def _of_os_error(error: OSError) -> str:
    """Say in one sentence what the operating system refused."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
