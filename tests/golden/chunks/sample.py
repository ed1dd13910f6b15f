"""A till that counts coins."""

import functools

MAX_COINS = 100
till = None


def counted(function):
    """Count the calls of a function."""

    @functools.wraps(function)
    def wrapper(*args):
        wrapper.calls += 1
        return function(*args)

    wrapper.calls = 0
    return wrapper


# A till has a drawer.
class Till:
    """Holds coins."""

    EMPTY = 0

    class Drawer:
        def open(self) -> None: ...

    def __init__(self, coins: int = EMPTY) -> None:
        self.coins = coins

    @property
    @counted
    def total(
        self,
    ) -> int:
        """The sum."""
        return self.coins

    async def refill(self, coins):
        if coins > MAX_COINS:

            def refuse():
                raise ValueError(coins)

            refuse()
        self.coins += coins
