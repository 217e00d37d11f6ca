"""Requests to the demo server."""

import json
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
