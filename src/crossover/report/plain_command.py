"""A script that composes no config: it reads the store alone, with arguments of its own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

from crossover.data.bad_input import BadInput
from crossover.report.visible_text import visible

_SETTING = re.compile(r"[a-z]+=")


def plain_command(main: Callable[[list[str]], int]) -> None:
    """Run ``main`` on the words of the command line and exit with its code.

    ``store=outputs``, as the other scripts have it, is read as ``--store=outputs``. Bad input is one
    message on stderr and exit code 2; an interruption is 130.
    """
    words = [f"--{word}" if _SETTING.match(word) else word for word in sys.argv[1:]]
    try:
        code = main(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (BadInput, OSError) as error:
        sys.stderr.write(f"error: {visible(str(error), 4000)}\n")
        code = 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    sys.exit(code)
