"""The command `push`."""

from pathlib import Path
from typing import Annotated

from wasabi import Printer

from .exit import exit_on_error
from .options import Arg, Opt
from .output import print_lines


@exit_on_error()
def push_cli(
    package: Annotated[Path, Arg(help="Wheel that `spacy package` has made")],
    repo: Annotated[str, Arg(help="Repository of the hub: USER/NAME")],
    private: Annotated[
        bool, Opt("--private", help="Create the repository as a private one")
    ] = False,
    revision: Annotated[
        str,
        Opt("--revision", "--branch", "-r", help="Branch; created if there is none"),
    ] = "main",
    message: Annotated[
        str,
        Opt(
            "--message",
            "-m",
            help="Message of the commit; by default name and version of the pipeline",
            show_default=False,
        ),
    ] = "",
    dry_run: Annotated[
        bool,
        Opt("--dry-run", help="Only list the files, without connecting to the hub"),
    ] = False,
) -> None:
    """Upload a packaged pipeline to the Hugging Face Hub.

    The repository gets the model card as README.md, the wheel, and the files of the
    pipeline, in one commit: all of them or, after an error, none. Then pip installs the
    pipeline from the address that is printed, and `spacy.load` loads the folder that
    `hf download` writes.

    The model card is the one that `card` has written into the pipeline, or another
    README.md with metadata for the hub; otherwise it is made of meta.json.

    The repository is created if it does not exist, and so is the branch. Wheels of
    earlier versions stay; files of the pipeline that it no longer has are removed. The
    token is the one of `hf auth login` or of the environment variable HF_TOKEN;
    HF_ENDPOINT is the address of another server with the same interface. It needs
    huggingface_hub: pip install "spacy-lstm-ner[hub]".

    Examples:

    \b
    python -m spacy lstm-ner push zh_names-1.0.0-py3-none-any.whl user/zh_names --dry-run
    python -m spacy lstm-ner push zh_names-1.0.0-py3-none-any.whl user/zh_names --private
    """  # noqa: E501
    from ..sharing.hub import push

    msg = Printer()
    pushed = push(
        package,
        repo,
        private=private,
        revision=revision,
        message=message,
        dry_run=dry_run,
    )
    msg.table(
        [
            *((name, f"{size:,}") for name, size in sorted(pushed.files.items())),
            ("all", f"{sum(pushed.files.values()):,}"),
        ],
        header=(pushed.title, "Bytes"),
        aligns=("l", "r"),
        divider=True,
        max_col=200,
    )
    if pushed.removed:
        msg.info("Removed, since the pipeline no longer has them:")
        print_lines(*pushed.removed)
    if not pushed.license:
        msg.warn("The pipeline has no license:")
        print_lines("Others may not use it. Set `license` with `lstm-ner card`.")
    if pushed.commit is None:
        msg.info("Nothing was uploaded. It would be:")
        print_lines(pushed.address)
        return
    msg.good("Uploaded:" if not pushed.is_new else "Created:")
    print_lines(pushed.address, f"commit {pushed.commit}")
    msg.info("To install it:")
    if pushed.is_private:
        # pip sends no token.
        print_lines(
            f"hf download {repo} {pushed.wheel_name} --revision {revision} "
            f"--local-dir . && pip install {pushed.wheel_name}"
        )
    else:
        print_lines(f"pip install {pushed.wheel_address}")
