# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Work that goes on while a test does something else.

    class Flood(Background):
        def work(self):
            while not self.over.is_set():
                ...

    with Flood() as flood:
        ...
"""

import threading


class Background(threading.Thread):
    """A thread for as long as the block lasts. The block raises at its end what work() raised."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self._raised = None

    def work(self):
        """Returns soon after `over` is set."""
        raise NotImplementedError

    def run(self):
        try:
            self.work()
        except BaseException as raised:  # shown by the main thread
            self._raised = raised

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.over.set()
        self.join()
        if self._raised:
            raise self._raised
