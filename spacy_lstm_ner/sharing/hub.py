"""Uploading a pipeline to the Hugging Face Hub, or to a server with its interface.

A repository has the model card (README.md), the wheel, and the files of the pipeline,
so that pip can install it and `spacy.load` can load what was downloaded.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .package import PipelinePackage, read_package

_CARD = "README.md"
_AGAIN = "Push again later: what has been uploaded is not uploaded twice."
MAIN = "main"


@dataclass(frozen=True)
class Push:
    """What was, or would be, uploaded.

    title: Name and version of the pipeline.
    files: The files with their sizes in bytes, by their path in the repository.
    removed: Files of an earlier version that the pipeline no longer has.
    address: The address of the repository.
    wheel_address: The address of the wheel.
    wheel_name: Its file name.
    license: The license of the pipeline; "" if its meta.json has none.
    is_private: Whether others cannot see the repository.
    is_new: Whether it was created.
    commit: The commit that contains the files. None: nothing was uploaded.
    """

    title: str
    files: dict[str, int]
    removed: tuple[str, ...]
    address: str
    wheel_address: str
    wheel_name: str
    license: str
    is_private: bool
    is_new: bool
    commit: str | None


def push(
    wheel: str | Path,
    repo: str,
    *,
    private: bool = False,
    revision: str = MAIN,
    message: str = "",
    dry_run: bool = False,
) -> Push:
    """Upload a packaged pipeline in one commit.

    The repository is created if it does not exist, and so is the branch. In folders of
    the pipeline, files that it no longer has are removed; all others stay, as do the
    wheels of earlier versions.

    wheel: The wheel that `spacy package` has made.
    repo: The repository: USER/NAME or ORGANIZATION/NAME.
    private: Create the repository as a private one.
    revision: The branch.
    message: The message of the commit; "": name and version of the pipeline.
    dry_run: Upload nothing, and do not connect to the hub.
    RETURNS: What was uploaded.
    RAISES (ImportError): If huggingface_hub is not installed.
    RAISES (OSError, ValueError): If the wheel cannot be used, or the hub refuses it.
    """
    hub = _import_hub()
    package = read_package(wheel)
    _check_repo_name(hub, repo)
    address = f"{hub.constants.ENDPOINT}/{repo}"
    wheel_address = f"{address}/resolve/{revision}/{package.wheel.name}"
    # The card tells to install a file; now that file has an address.
    card = package.card.replace(
        f"pip install {package.wheel.name}", f"pip install {wheel_address}"
    ).encode("utf8")
    sizes = {
        _CARD: len(card),
        package.wheel.name: package.wheel.stat().st_size,
        **package.files,
    }
    removed: tuple[str, ...] = ()
    is_new, commit = False, None
    if not dry_run:
        api = hub.HfApi(token=_token(hub), library_name="spacy-lstm-ner")
        with _explain_errors(hub, repo, address), _unpacked(package) as files:
            is_new = _prepare_repo(hub, api, repo, private)
            head = _prepare_branch(hub, api, repo, revision)
            removed = _outdated(api.list_repo_files(repo, revision=head), sizes)
            contents: dict[str, bytes | Path] = {
                _CARD: card,
                package.wheel.name: package.wheel,
                **files,
            }
            commit = api.create_commit(
                repo,
                [
                    *(
                        hub.CommitOperationAdd(path, _content(content))
                        for path, content in contents.items()
                    ),
                    *(hub.CommitOperationDelete(path) for path in removed),
                ],
                commit_message=message or package.title,
                revision=revision,
                # Not over what someone else has uploaded meanwhile.
                parent_commit=head,
            ).oid
            _check_complete(api.list_repo_files(repo, revision=commit), sizes, address)
            private = bool(api.repo_info(repo).private)
    return Push(
        title=package.title,
        files=sizes,
        removed=removed,
        address=address if revision == MAIN else f"{address}/tree/{revision}",
        wheel_address=wheel_address,
        wheel_name=package.wheel.name,
        license=str(package.meta.get("license") or ""),
        is_private=private,
        is_new=is_new,
        commit=commit,
    )


def _import_hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError as error:
        raise ImportError(
            f'push needs huggingface_hub: pip install "spacy-lstm-ner[hub]" ({error})'
        ) from error
    return huggingface_hub


def _check_repo_name(hub: Any, repo: str) -> None:
    """RAISES (ValueError): If this is no name of a repository."""
    try:
        hub.utils.validate_repo_id(repo)
        valid = repo.count("/") == 1
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(
            f"{repo!r} is no name of a repository: give USER/NAME or "
            f"ORGANIZATION/NAME, with letters, digits, '-', '_' and '.'."
        )


def _token(hub: Any) -> str:
    """RAISES (OSError): If there is none."""
    token: str | None = hub.get_token()
    if token is None:
        raise OSError(
            "There is no token for the hub: log in with `hf auth login`, or set the "
            "environment variable HF_TOKEN. The token needs the right to write."
        )
    return token


@contextmanager
def _unpacked(package: PipelinePackage) -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        yield package.extract(Path(folder))


def _content(content: bytes | Path) -> bytes | str:
    return content if isinstance(content, bytes) else str(content)


def _prepare_repo(hub: Any, api: Any, repo: str, private: bool) -> bool:
    """Create a repository, or check an existing one.

    RETURNS: Whether it is new.
    RAISES (ValueError): If it is public, and should be private.
    """
    try:
        info = api.repo_info(repo)
    except hub.errors.RepositoryNotFoundError:
        api.create_repo(repo, private=private or None)
        return True
    if private and not info.private:
        raise ValueError(
            f"{repo} exists and is public. Leave out --private, make it private on its "
            f"page, or choose another name. Nothing was uploaded."
        )
    return False


def _prepare_branch(hub: Any, api: Any, repo: str, revision: str) -> str:
    """Create a branch if it does not exist.

    RETURNS: Its last commit.
    """
    try:
        info = api.repo_info(repo, revision=revision)
    except hub.errors.RevisionNotFoundError:
        api.create_branch(repo, branch=revision)
        info = api.repo_info(repo, revision=revision)
    return str(info.sha)


def _outdated(existing: list[str], sizes: dict[str, int]) -> tuple[str, ...]:
    """Files in the folders of the pipeline that it does not have: spaCy would load some
    of them."""
    folders = {path.partition("/")[0] for path in sizes if "/" in path}
    return tuple(
        path
        for path in existing
        if path not in sizes and "/" in path and path.partition("/")[0] in folders
    )


def _check_complete(uploaded: list[str], sizes: dict[str, int], address: str) -> None:
    """RAISES (OSError): If files are missing, since the repository has a .gitignore."""
    if missing := sorted(sizes.keys() - set(uploaded)):
        raise OSError(
            f"{address} does not have all files: {', '.join(missing)}. If it has a "
            f".gitignore that excludes them, delete it, and push again."
        )


@contextmanager
def _explain_errors(hub: Any, repo: str, address: str) -> Iterator[None]:
    """Say what to do after an error of the hub or on the way to it.

    RAISES (OSError): After such an error.
    """
    try:
        yield
    except Exception as error:
        # What fails in a thread is the cause of another error.
        cause = error.__cause__ if type(error) is RuntimeError else error
        if isinstance(cause, hub.errors.HfHubHTTPError):
            message = _message_of(cause, repo)
        elif type(cause).__module__ == "builtins" and not isinstance(
            cause, ConnectionError | TimeoutError
        ):
            # Errors of this module, of files, what the hub says about the card, bugs.
            raise
        else:
            # Those of the network have other types in each release of huggingface_hub.
            message = f"{cause}\nIt cannot be reached. {_AGAIN}"
        raise OSError(f"{address}: {message}") from error


def _message_of(error: Any, repo: str) -> str:
    """What the hub says, and what to do."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    reason = getattr(error, "server_message", None) or str(error).strip()
    owner = repo.partition("/")[0]
    changed = "Someone else has changed the repository meanwhile: push again."
    advice = {
        401: "The token is not valid: log in again with `hf auth login`, or set "
        "HF_TOKEN to another one.",
        403: f"The token has no right to write to {repo}: check the name, and that the "
        f"token has the role write for {owner}.",
        404: f"{repo} does not exist, or the token has no right to see it.",
        409: changed,
        412: changed,
    }
    return f"{reason}\n{advice.get(status or 0, _AGAIN)}"
