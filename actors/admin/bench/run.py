"""x"""


def run(*a, **k): ...
