"""Every kernel is tested with every instruction set of the processor."""

import os

import pytest

from spacy_lstm_ner import kernels

from ..helpers.kernels import available


def pytest_generate_tests(metafunc):
    if "instruction_set" in metafunc.fixturenames:
        names = available() or [pytest.param("none", marks=pytest.mark.skip)]
        metafunc.parametrize("instruction_set", names, indirect=True)


@pytest.fixture
def instruction_set(request):
    """Use these kernels, and afterwards those that were in use."""
    kernels.use(request.param)
    yield request.param
    kernels.use(os.environ.get(kernels.VARIABLE, ""))
