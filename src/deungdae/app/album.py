"""The pictures that events name, from the folders into which cameras put them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deungdae.core.errors import BadReply, StoreError
from deungdae.core.ports import Picture
from deungdae.core.types import Event
from deungdae.model.factory import Factory
from deungdae.wires.blobs import Blobs
from deungdae.wires.pixels import decoded


class Album:
    """All folders of images of a factory. Every method blocks on the disk."""

    def __init__(self, factory: Factory) -> None:
        folders = {
            str(plugin.options.folder)
            for plugin in factory.room("machines").values()
            if plugin.type == "camera"
        }
        self._shelves = [Blobs(factory.path.parent / folder) for folder in sorted(folders)]

    def content(self, ref: str) -> bytes:
        """Return the bytes of an image. Raises ValueError for what is no reference, LookupError
        for an image that is not there (any more), StoreError for a damaged one."""
        for shelf in self._shelves:
            try:
                return shelf.get(ref)
            except LookupError:
                continue
        raise LookupError(f"{ref} is in no folder of images")

    def picture(self, event: Event) -> Picture:
        """Return what an image event shows. Raises BadReply where it cannot be seen."""
        try:
            pixels = decoded(self.content(event.value))
        except (LookupError, ValueError, StoreError) as error:
            remedy = "look at the health of the camera, and at the room on the disk"
            raise BadReply(f"{event.id}: {error}", remedy=remedy) from error
        return Picture(event.time, event.value, event.data.get("serial", ""), pixels)


def example(file: Path) -> Picture:
    """Return an image of a folder. Raises BadReply where it cannot be seen."""
    try:
        return Picture(0, file.name, "", decoded(file.read_bytes()))
    except (OSError, ValueError) as error:
        raise BadReply(f"{file}: {error}", remedy="take it out of the folder") from error


def images_of(events: Iterable[Event], ids: Iterable[str]) -> list[Event]:
    """Return the events that name images of the given signals."""
    wanted = set(ids)
    return [event for event in events if event.kind == "image" and event.id in wanted]
