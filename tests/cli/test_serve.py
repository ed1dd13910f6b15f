"""The web page from outside: what it answers, and to whom."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from conftest import Tree, laid_out
from support.pages import Served, served
from support.processes import environment, folders_in

CODE = {
    "shop/cart.py": 'def add_item(cart, item):\n    """Put an item into the cart."""\n    cart.append(item)\n',
    "docs/shop.md": "# The shop\n\n<script>alert('items')</script>\n",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page about a small tree, indexed: one for all, who ask and change nothing."""
    root = laid_out(tmp_path_factory.mktemp("shop"), CODE)
    with served(root, **folders_in(tmp_path_factory.mktemp("home"))) as page:
        deadline = time.monotonic() + 60
        while not page.ask("/api/status").values["coverage"]["complete"]:
            assert time.monotonic() < deadline, "the tree was not indexed"
            time.sleep(0.05)
        yield page


def test_the_page_answers_questions_shows_files_and_maps_the_tree(page: Served) -> None:
    found = page.ask("/api/search?q=put+an+item+into+the+cart").values
    assert found["results"][0]["path"] == "shop/cart.py"
    assert found["coverage"]["searchable"] == 2
    file = page.ask("/api/file?path=shop/cart.py").values
    assert file["text"] == CODE["shop/cart.py"]
    assert file["symbols"][0]["name"] == "add_item"
    mapped = page.ask("/api/map").values["files"]
    assert [(path, language) for path, language, *_ in mapped] == [
        ("docs/shop.md", "markdown"),
        ("shop/cart.py", "python"),
    ]
    related = page.ask("/api/search?mode=related&q=shop/cart.py:1")
    assert related.status == 200
    assert b'type="module"' in page.ask("/").body


def test_an_empty_answer_has_a_reason_and_a_wrong_one_a_message(page: Served) -> None:
    assert page.ask("/api/search?q=zzyzzx").values["reason"]
    assert page.ask("/api/search?q=").values["results"] == []
    for wrong in ("/api/search?q=a&limit=99999", "/api/search?q=a&mode=magic", "/api/search?q=a&offset=-1"):
        answer = page.ask(wrong)
        assert answer.status == 400
        assert answer.values["error"]
    assert page.ask("/api/search?q=(&mode=regex").status == 400


def test_nothing_outside_the_index_can_be_read(page: Served) -> None:
    for path in ("../../../etc/passwd", "/etc/passwd", ".treemill/owner", "shop/../shop/cart.py", "%2e%2e/etc/passwd"):
        assert page.ask(f"/api/file?path={path}").status == 400
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fguard.py", "/page//etc/passwd"):
        assert page.ask(path).status in (400, 404)


def test_only_who_has_the_token_is_answered(page: Served) -> None:
    for path in ("/", "/api/search?q=cart", "/api/status", "/page/main.js", "/api/events"):
        assert page.ask(path, trusted=False).status == 401
        assert page.ask(path, Cookie="treemill=wrong").status == 401
    assert page.ask("/?token=wrong", trusted=False).status == 401
    given = page.ask("/" + page.address.rsplit("/", 1)[1], trusted=False)
    assert given.status == 303
    assert given.headers["location"] == "/"
    cookie = given.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_other_sites_and_other_names_for_this_machine_are_refused(page: Served) -> None:
    assert page.ask("/api/status", Host="evil.example").status == 421
    assert page.ask("/api/status", Origin="http://evil.example").status == 403
    assert page.ask("/api/status", Sec_Fetch_Site="cross-site").status == 403
    assert page.ask("/api/refresh", method="POST", Origin="null").status == 403
    assert page.ask("/api/refresh", method="GET").status == 405
    assert page.ask("/api/refresh", method="POST", Origin=f"http://{page.host}").status == 200


def test_answers_may_not_be_framed_sniffed_or_load_from_elsewhere(page: Served) -> None:
    for path in ("/", "/api/search?q=cart", "/page/main.js"):
        headers = page.ask(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_hostile_sources_cross_as_data(page: Served) -> None:
    answer = page.ask("/api/search?q=the+shop+items&path=docs/**")
    assert answer.headers["content-type"] == "application/json"
    assert "<script>" in answer.values["results"][0]["content"]


def test_a_port_in_use_and_a_folder_that_is_none_are_named(tree: Tree) -> None:
    root = tree(CODE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, message in (([str(root), "--port", port], f"port {port}"), (["nowhere"], "there is no folder")):
            done = subprocess.run(
                [sys.executable, "-m", "treemill", "serve", *words],
                capture_output=True,
                text=True,
                timeout=60,
                cwd=root,
                env=environment(),
            )
            assert done.returncode == 2
            assert message in done.stderr
