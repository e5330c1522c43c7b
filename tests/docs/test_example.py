"""The driver of CONTRIBUTING.md: installed as an outside package, under the contract of all."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deungdae.core import registry
from deungdae.core.ports import Driver
from deungdae.model import factory as model

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "protocol"
DRIVER = EXAMPLE / "deungdae_lines.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CONTRACT = load(ROOT / "tests" / "contract" / "test_driver.py")
CLAUSES = [
    name
    for name, test in vars(CONTRACT).items()
    if name.startswith("test_") and "rig" in inspect.signature(test).parameters
]


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for `pip install examples/protocol`: what an installer writes of it."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / "deungdae_lines-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    importlib.invalidate_caches()


@pytest.fixture
async def rig() -> AsyncIterator[Any]:
    rig = load(EXAMPLE / "rig.py").Rig()
    await rig.start()
    yield rig
    await rig.stop()


@pytest.mark.parametrize("clause", CLAUSES)
async def test_it_keeps_the_contract_of_drivers(clause: str, rig: Any) -> None:
    test = getattr(CONTRACT, clause)
    if "driver" not in inspect.signature(test).parameters:
        await test(rig)
        return
    driver: Driver = CONTRACT.driver_of(rig)
    await driver.connect()
    try:
        await test(rig, driver)
    finally:
        await driver.close()


def test_a_factory_file_finds_it_by_its_type(tmp_path: Path) -> None:
    cls = registry.load("machines", "lines")
    assert "lines" in registry.names("machines")
    example = inspect.getdoc(cls).partition("```toml\n")[2].partition("```")[0]  # type: ignore[union-attr]
    path = tmp_path / "factory.toml"
    path.write_text(f'[factory]\nid = "example"\n\n{example}')
    factory = model.read(path)
    assert isinstance(factory.room("machines")["scale"].options, cls.Options)


def test_it_passes_the_type_checker(tmp_path: Path) -> None:
    use = "from deungdae.core.ports import Driver\nfrom deungdae_lines import Lines\n"
    (tmp_path / "use.py").write_text(f"{use}door: type[Driver] = Lines\n")
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(DRIVER), str(tmp_path / "use.py")],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(EXAMPLE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_text_shows_the_driver_as_it_is() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"```python\n{DRIVER.read_text(encoding='utf-8')}```" in text
