"""The page in a real browser: type, click, see; by keyboard; with hostile sources; and an accessibility check."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import laid_out
from support.pages import Served, served
from support.processes import folders_in

playwright = pytest.importorskip("playwright.sync_api", reason='the extra is missing: pip install -e ".[browser]"')

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

ATTACK = "\"><img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"

CODE = {
    "shop/cart.py": 'def add_item(cart, item):\n    """Put an item into the cart."""\n    cart.append(item)\n',
    "shop/order.py": "def place_order(cart):\n    return sum(item.price for item in cart)\n" + "\n# later\n" * 80,
    "docs/<img src=x onerror=alert(1)>.md": f"# A hostile page\n\n{ATTACK}\n",
    "lib/hostile.py": f"def hostile_name():\n    return {ATTACK!r}\n",
    "web/app.js": "export function start() { return 1; } // begins\n",
}

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all: it takes seconds to start. Each test has a context of its own."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A small tree's page: one for all, who look at it and change nothing."""
    root = laid_out(tmp_path_factory.mktemp("shop"), CODE)
    with served(root, **folders_in(tmp_path_factory.mktemp("home"))) as here:
        yield here


@pytest.fixture
def page(here: Served, browser: Any) -> Iterator[Any]:
    """A browser with the page in it, indexed; any error in it, and any foreign request, fails."""
    errors: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if here.host in request.url or request.url.startswith("data:") else errors.append(request.url)
            ),
        )
        page.goto(here.address)
        page.get_by_text("5 of 5 files searchable", exact=True).wait_for()
        yield page
        assert "token" not in page.url
    assert not errors


def test_results_come_as_one_types_and_a_click_opens_the_file_at_the_line(page: Any) -> None:
    page.get_by_label("Ask about the code").press_sequentially("place order")
    page.locator("#results li", has_text="shop/order.py").first.get_by_role("button").click()
    page.locator("#file-path", has_text="shop/order.py").wait_for()
    assert page.locator("#lines li.at").first.inner_text().strip().endswith("def place_order(cart):")
    assert page.locator("#lines .t-keyword", has_text="def").count()
    page.locator("#outline").select_option(label="function place_order")
    page.get_by_role("button", name="Find related").click()
    page.locator("#told", has_text="searched 5 of 5 files").wait_for()


def test_everything_can_be_done_by_keyboard(page: Any) -> None:
    page.locator("body").click()
    page.keyboard.press("/")
    page.keyboard.type("add_item")
    page.locator("#results li", has_text="shop/cart.py").first.wait_for()
    page.keyboard.press("ArrowDown")
    assert "shop/cart.py" in page.locator("#results li.chosen").inner_text()
    page.keyboard.press("Enter")
    page.locator("#file-path", has_text="shop/cart.py").wait_for()


def test_filters_narrow_what_is_found(page: Any) -> None:
    page.get_by_label("Ask about the code").fill("hostile")
    page.locator("#results li", has_text="lib/hostile.py").wait_for()
    page.locator("#lang").select_option("javascript")
    page.locator("#told", has_text="nothing found").wait_for()
    page.locator("#lang").select_option("")
    page.locator("#path").fill("lib/**")
    page.locator("#told", has_text="1 places").wait_for()


def test_hostile_names_and_sources_are_shown_and_do_nothing(page: Any) -> None:
    page.get_by_label("Ask about the code").fill("hostile page")
    page.locator("#results li", has_text="onerror=alert(1)").get_by_role("button").click()
    page.locator("#lines", has_text="broken in").wait_for()
    page.get_by_role("link", name="Map").click()
    page.locator("#treemap a").first.wait_for()
    assert page.title() == "Treemill"
    assert page.locator("#results img, #lines img, #treemap img").count() == 0


def test_the_map_goes_into_folders_and_opens_files(page: Any) -> None:
    page.get_by_role("link", name="Map").click()
    page.locator("#treemap a[aria-label^='shop,']").first.press("Enter")
    page.locator("#crumbs", has_text="shop").wait_for()
    page.locator("#colour-by").select_option("freshness")
    page.locator("#legend", has_text="today").wait_for()
    page.locator("#treemap a[aria-label^='shop/order.py']").press("Enter")
    page.locator("#file-path", has_text="shop/order.py").wait_for()


def test_indexing_is_seen_while_it_goes_on(page: Any) -> None:
    page.get_by_role("link", name="Indexing").click()
    page.locator("#run", has_text="up to date").wait_for()
    page.get_by_role("button", name="Look for changes").click()
    page.locator("#figures", has_text="5 of 5").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_serious_accessibility_finding(page: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    page.get_by_label("Ask about the code").fill("add_item")
    page.locator("#results li").first.get_by_role("button").click()
    page.locator("#file-path", has_text="shop/cart.py").wait_for()
    for view in ("Search", "Map", "Indexing"):
        page.get_by_role("link", name=view, exact=True).click()
        page.wait_for_timeout(200)
        found = [each for each in axe.run(page).response["violations"] if each["impact"] in ("serious", "critical")]
        assert not found, [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found]
