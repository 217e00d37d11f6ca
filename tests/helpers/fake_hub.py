"""A small server with the interface of the Hugging Face Hub, for uploads and downloads
by its client, on this machine.

It has what the client asks for when it creates repositories and branches, uploads
files, and downloads them: the same addresses, statuses and headers. Files are regular
ones or go to a storage of large files (LFS), as the hub decides it: by size, and by
whether they are text.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import srsly

#: Who has which token, and where they may write.
TOKENS = {"hf_writer": ("writer", {"writer", "team"}), "hf_reader": ("reader", set())}
#: Larger files are never regular ones, as on the hub.
LARGE = 10 * 1024 * 1024


@dataclass
class Repo:
    """A repository. Each commit is all its files."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        sha = hashlib.sha1(f"{branch} {len(self.commits)}".encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        self.messages.append(message)
        return sha

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return self.commits[self.branches.get(revision, revision)]


class FakeHub(ThreadingHTTPServer):
    """The server.

    repos: The repositories by name.
    large: Files in the storage of large files, by their SHA-256.
    requests: Method and path of all requests.
    failures: The status with which a part of a path is answered, as {"/commit/": 500}.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.failures: dict[str, int] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def add_repo(self, name: str, *, private: bool = False, **files: bytes) -> Repo:
        repo = self.repos[name] = Repo(private)
        repo.commit("main", {".gitattributes": b"", **files}, "initial commit")
        return repo


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    with FakeHub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Answer(Exception):
    def __init__(self, status: int, content=None, **headers: str):
        self.status, self.content, self.headers = status, content, headers


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeHub

    def log_message(self, *args):
        pass

    def _handle(self):
        # The query says nothing that matters here.
        path = urlsplit(self.path).path
        self.server.requests.append(f"{self.command} {path}")
        # Always read, so that the connection can be used again.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            for part, status in self.server.failures.items():
                if part in path:
                    raise _Answer(status, {"error": f"the hub says {status}"})
            self._route(path, body)
        except _Answer as answer:
            self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = _handle

    def _send(self, answer: _Answer):
        content = answer.content
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
            answer.headers.setdefault("Content-Type", "application/json")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _route(self, path: str, body: bytes):
        for method, pattern, handler in _ROUTES:
            if self.command in method and (match := re.fullmatch(pattern, path)):
                arguments = {k: unquote(v) for k, v in match.groupdict().items()}
                handler(self, body, **arguments)
        raise _Answer(404, {"error": f"{path} is unknown to the fake"})

    # Rights

    def _user(self) -> tuple[str, set[str]]:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in TOKENS:
            raise _Answer(401, {"error": "Invalid username or password."})
        return TOKENS.get(token, ("", set()))

    def _repo(self, name: str, *, write: bool = False) -> Repo:
        user, may_write = self._user()
        repo = self.server.repos.get(name)
        owner = name.partition("/")[0]
        if repo is None or (repo.private and owner not in {user, *may_write}):
            raise _Answer(
                404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound"
            )
        if write and owner not in may_write:
            raise _Answer(403, {"error": "Forbidden: you have no right to write"})
        return repo

    def _commit_of(self, repo: Repo, revision: str) -> str:
        sha = repo.branches.get(revision, revision)
        if sha not in repo.commits:
            raise _Answer(
                404, {"error": "Revision not found"}, X_Error_Code="RevisionNotFound"
            )
        return sha

    # Repositories and branches

    def create(self, body: bytes):
        request = json.loads(body)
        user, may_write = self._user()
        owner = request.get("organization") or user
        if owner not in may_write:
            raise _Answer(403, {"error": f"You don't have the rights under {owner}"})
        name = f"{owner}/{request['name']}"
        if name in self.server.repos:
            raise _Answer(409, {"error": "You already created this model repo"})
        # `private` before huggingface_hub 1.0.
        private = request.get("visibility") == "private" or request.get("private")
        self.server.add_repo(name, private=bool(private))
        raise _Answer(200, {"url": f"{self.server.url}/{name}", "name": name})

    def info(self, body: bytes, repo: str, revision: str = "main"):
        found = self._repo(repo)
        sha = self._commit_of(found, revision)
        files = [{"rfilename": path} for path in found.commits[sha]]
        info = {"id": repo, "modelId": repo, "sha": sha, "siblings": files}
        raise _Answer(200, {**info, "private": found.private, "tags": []})

    def tree(self, body: bytes, repo: str, revision: str):
        found = self._repo(repo)
        files = found.commits[self._commit_of(found, revision)]
        raise _Answer(
            200,
            [
                {"type": "file", "path": path, "size": len(data), "oid": _blob(data)}
                for path, data in files.items()
            ],
        )

    def branch(self, body: bytes, repo: str, branch: str):
        found = self._repo(repo, write=True)
        if branch in found.branches:
            raise _Answer(409, {"error": "Reference already exists"})
        found.branches[branch] = found.branches["main"]
        raise _Answer(200, {})

    # Uploads

    def validate(self, body: bytes):
        request = json.loads(body)
        _, front_matter, _ = request["content"].split("---\n", 2)
        metadata = srsly.yaml_loads(front_matter)
        errors = [] if metadata.get("language") else [{"message": '"language" missing'}]
        raise _Answer(400 if errors else 200, {"errors": errors, "warnings": []})

    def preupload(self, body: bytes, repo: str, revision: str):
        found = self._repo(repo, write=True)
        ignored = found.files(revision).get(".gitignore", b"").decode().split()
        files = []
        for file in json.loads(body)["files"]:
            is_text = b"\0" not in base64.b64decode(file["sample"])
            files.append(
                {
                    "path": file["path"],
                    "uploadMode": "regular"
                    if is_text and file["size"] < LARGE
                    else "lfs",
                    "shouldIgnore": file["path"] in ignored,
                }
            )
        raise _Answer(200, {"files": files})

    def batch(self, body: bytes, repo: str):
        self._repo(repo, write=True)
        objects = []
        for item in json.loads(body)["objects"]:
            if item["oid"] not in self.server.large:
                upload = {"href": f"{self.server.url}/large/{item['oid']}"}
                item = {**item, "actions": {"upload": upload}}
            objects.append(item)
        raise _Answer(200, {"transfer": "basic", "objects": objects})

    def large(self, body: bytes, oid: str):
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.large[oid] = body
        raise _Answer(200, {})

    def commit(self, body: bytes, repo: str, branch: str):
        found = self._repo(repo, write=True)
        files = dict(found.files(branch))
        message = ""
        for line in body.splitlines():
            key, value = (item := json.loads(line))["key"], item["value"]
            if key == "header":
                message = value["summary"]
                if (
                    value.get("parentCommit", found.branches[branch])
                    != (found.branches[branch])
                ):
                    raise _Answer(412, {"error": "A commit has happened since"})
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        sha = found.commit(branch, files, message)
        url = f"{self.server.url}/{repo}/commit/{sha}"
        raise _Answer(200, {"commitOid": sha, "commitUrl": url, "hookOutput": ""})

    # Downloads

    def resolve(self, body: bytes, repo: str, revision: str, path: str):
        found = self._repo(repo)
        sha = self._commit_of(found, revision)
        if path not in found.commits[sha]:
            raise _Answer(
                404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound"
            )
        data = found.commits[sha][path]
        raise _Answer(
            200,
            data,
            ETag=f'"{_blob(data)}"',
            X_Repo_Commit=sha,
            Content_Type="application/octet-stream",
        )


def _blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


_REPO = r"(?P<repo>[\w.-]+/[\w.-]+)"
_MODEL = f"/api/models/{_REPO}"
_ROUTES = [
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.validate),
    ("GET", _MODEL, _Handler.info),
    ("GET", f"{_MODEL}/revision/(?P<revision>[^/]+)", _Handler.info),
    ("GET", f"{_MODEL}/tree/(?P<revision>[^/]+)", _Handler.tree),
    ("POST", f"{_MODEL}/branch/(?P<branch>[^/]+)", _Handler.branch),
    ("POST", f"{_MODEL}/preupload/(?P<revision>[^/]+)", _Handler.preupload),
    ("POST", f"/{_REPO}.git/info/lfs/objects/batch", _Handler.batch),
    ("PUT", "/large/(?P<oid>[0-9a-f]{64})", _Handler.large),
    ("POST", f"{_MODEL}/commit/(?P<branch>[^/]+)", _Handler.commit),
    (
        "GET HEAD",
        f"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)",
        _Handler.resolve,
    ),
]
