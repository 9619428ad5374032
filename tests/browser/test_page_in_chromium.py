"""The page in a real browser: no error, no request, no overflow, a slider that moves by mouse and by key.

Chromium is driven by its command line alone: a probe script is added to a copy of the page and leaves what it saw in the title of
the dumped document.
"""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from parametra.report import build

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install it to look at the page"),
]

# runs before anything else on the page
WATCH = """<script>window.seen={errors:[],requests:[]};
addEventListener("error",e=>seen.errors.push(String(e.message)),true);
console.error=(...a)=>seen.errors.push(a.join(" "));
document.addEventListener("securitypolicyviolation",e=>seen.requests.push(e.blockedURI));</script>
<meta http-equiv="Content-Security-Policy"
content="default-src 'none';style-src 'unsafe-inline';script-src 'unsafe-inline';img-src data:">"""
# runs at the end
PROBE = """<script>addEventListener("load",()=>{
const range=document.querySelector("[data-maps] input"),canvas=document.querySelector("[data-maps] canvas");
const image=()=>canvas.getContext("2d").getImageData(0,0,canvas.width,canvas.height).data.join();
const first=image();
range.value=range.max;range.dispatchEvent(new Event("input"));
const label=document.querySelector("[data-maps] output").textContent;
seen.slider={moved:image()!==first,label,keyboard:range.type==="range"&&range.tabIndex===0};
seen.width=[document.documentElement.scrollWidth,innerWidth];
seen.resources=performance.getEntriesByType("resource").map(e=>e.name).filter(n=>!n.startsWith("data:"));
seen.wide=[...document.querySelectorAll("main *")].filter(e=>!e.closest(".scroll,pre,svg"))
 .filter(e=>e.getBoundingClientRect().right>innerWidth+1).length;
const note=document.createElement("pre");note.id="seen";note.textContent=JSON.stringify(seen);
document.body.append(note);});</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    source = Path(__file__).parents[1] / "report" / "run_folder.py"
    spec = importlib.util.spec_from_file_location("run_folder", source)
    assert spec is not None
    assert spec.loader is not None
    made_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_up)
    return build(made_up.make_run(tmp_path_factory.mktemp("browser") / "run"))


def _chromium(*arguments: str, profile: Path) -> str:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", f"--user-data-dir={profile}", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.parametrize("width", [390, 1280])
def test_page_loads_quietly_fits_and_its_slider_works(page, tmp_path, width):
    text = page.read_text(encoding="utf-8")
    probed = text.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{WATCH}', 1).replace("</body>", f"{PROBE}</body>")
    # headless windows are at least 500 pixels wide, so the page stands in a frame of the width that is asked for
    (tmp_path / "probed.html").write_text(probed, encoding="utf-8")
    frame = f"""<body style="margin:0">
    <iframe src="probed.html" style="border:0;width:{width}px;height:900px"></iframe><script>
    const note=()=>document.querySelector("iframe").contentDocument.getElementById("seen").textContent;
    onload=()=>setTimeout(()=>document.title=note(),500)</script>"""
    (tmp_path / "frame.html").write_text(frame, encoding="utf-8")
    dumped = _chromium(
        "--allow-file-access-from-files", "--virtual-time-budget=8000", f"--window-size={max(width, 1300)},900", "--dump-dom",
        (tmp_path / "frame.html").as_uri(), profile=tmp_path / "profile",
    )  # fmt: skip
    found = re.search(r"<title>(.*?)</title>", dumped, re.DOTALL)
    assert found is not None, dumped[:2000]
    seen = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert seen["errors"] == []
    assert seen["requests"] == []
    assert seen["resources"] == []
    assert seen["slider"] == {"moved": True, "label": "day 15.8", "keyboard": True}
    assert seen["width"][0] <= seen["width"][1] == width
    assert seen["wide"] == 0
