"""What must not be in an index any more: it goes at once, and nothing of it is left in any file of the store.

A file that became ignored or secret leaves every view of its worktree; a content that turns out to hold secrets leaves
every view there is. Then what is in no view is collected without the usual delay (so old versions of such a file go as
well, whatever they were called), documents that share a segment of the lexical index with removed ones are indexed
anew, for only then the segment goes with their words, and the log of the database is emptied. A note in the store says
that this is owed, from before the first step to after the last.
"""

from __future__ import annotations

from collections.abc import Callable

from auto_context.config import Settings
from auto_context.engine.calls import Calls
from auto_context.engine.garbage import DAY_S, Collection, Rules
from auto_context.engine.ops import encode_root
from auto_context.engine.repository import Repository
from auto_context.engine.views import Worktree, other_paths
from auto_context.source import REDACTION, Root

_PER_CALL = 64
"""Contents that are looked through in one call."""
PATIENCE_S = 2.0
"""How long a step waits for an update to end."""


def screen(repository: Repository, calls: Calls, settings: Settings) -> None:
    """Where contents were stored by other rules about secrets, look through all of them, and expel those with some."""
    wanted = "" if settings.secrets == "keep" else REDACTION
    if repository.sidecar.meta.get("screened", "") == wanted:
        return
    if wanted:
        with repository.lock:
            keys = sorted(repository.blobs)
        batches = [keys[at : at + _PER_CALL] for at in range(0, len(keys), _PER_CALL)]
        found: set[bytes] = set()
        contents = ({"contents": _packed(repository, batch)} for batch in batches)
        for batch, result in zip(batches, calls.pipeline("screen", contents), strict=True):
            found.update(batch[at] for at in result["found"])
        if found:
            repository.expel(found)
    repository.note_screened(wanted)


def _packed(repository: Repository, keys: list[bytes]) -> list[bytes]:
    """Stored contents in the order of their keys, b"" for one that was collected meanwhile."""
    stored = repository.sidecar.get_many([b"b" + key for key in keys])
    return [stored.get(b"b" + key, b"") for key in keys]


def named_otherwise(repository: Repository, worktree: Worktree, root: Root, ref: str, calls: Calls) -> set[str]:
    """What other views hold that must not be indexed by its name: for when the rules changed."""
    paths = sorted(other_paths(repository.sidecar, worktree, ref))
    if not paths:
        return set()
    return set(calls.one("left_out", {"root": encode_root(root), "paths": paths})["found"])


def purge(
    repository: Repository,
    identity: str,
    worktree: Worktree,
    settings: Settings,
    now: float,
    index_anew: Callable[[], object],
    check: Callable[[], None],
) -> None:
    """Remove what is owed to be removed. Without success the note stays, and the next update tries again.

    Args:
        repository: which.
        identity: its git folder, or the folder itself without git.
        worktree: the one that was updated.
        settings: the user's.
        now: seconds since the epoch.
        index_anew: derives the words that the worktree's view lacks.
        check: called between steps; raises to end it.

    Raises:
        BusyError: an update is under way.
        AutoContextError: of the store and the worker.
    """
    keep_s = settings.keep_days * DAY_S
    rules = Rules(versions_s=0.0, refs_s=keep_s, models_s=keep_s)
    for _ in Collection(repository, identity, rules, now, PATIENCE_S, dry_run=False).run():
        check()
    with repository.alone(PATIENCE_S):
        anew = repository.lexed.renew(worktree.view)
    if anew:
        index_anew()
    repository.blob.clear()
    # The lexical index lets go of files that nothing needs when its writer goes.
    repository.lexical.release()
    if repository.sidecar.vacuum(check) and not repository.lexical.beside_removed():
        repository.owe_purge(owed=False)
        # The note itself was written to the log.
        repository.sidecar.vacuum(check)
