"""Requests to the server."""

import json
import socket
import time
from http.client import HTTPConnection

TEXT = "王芳，女，汉族，中国国籍，硕士学历，现任公司副总经理。"
JSON = {"Content-Type": "application/json"}


def ask(server, method, path, body=None, headers=JSON):
    """Return the status, the headers and the body of a response."""
    host, port = server.server_address[:2]
    connection = HTTPConnection(host, port, timeout=30)
    if not isinstance(body, bytes | None):
        body = json.dumps(body).encode()
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read().decode()
    connection.close()
    if answer and response.headers.get_content_type() == "application/json":
        answer = json.loads(answer)
    return response.status, response.headers, answer


def entities(server, *texts):
    """Return the entities that the server finds in texts."""
    status, _, answer = ask(server, "POST", "/entities", {"texts": texts})
    assert status == 200, answer
    return answer["entities"]


def request(path, body, *headers, host="127.0.0.1"):
    """The bytes of a request that closes its connection."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    if not any(header.lower().startswith("content-length") for header in headers):
        headers = (*headers, f"Content-Length: {len(body)}")
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    return (
        "\r\n".join([*lines, "Content-Type: application/json", "", ""]).encode() + body
    )


def connect(server, data=b""):
    """Return a connection on which something was sent."""
    connection = socket.create_connection(server.server_address[:2], timeout=20)
    connection.sendall(data)
    return connection


def answer(connection):
    """Return the status and the whole response, and close the connection."""
    said = b""
    while piece := connection.recv(65_536):
        said += piece
    connection.close()
    return int(said.split()[1]) if said else None, said.decode()


def wait_until(condition, seconds=10):
    """Wait until a condition is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "that did not come"
        time.sleep(0.01)
