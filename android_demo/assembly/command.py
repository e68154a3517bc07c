"""`python -m android_demo.assembly`: the app without Gradle."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Fetch and check what other people made, and tell Maven the versions."""

    def execute(self) -> int:
        """See `android_demo.assembly.parts`."""
        from android_demo.assembly.parts import gather

        gather()
        return 0
